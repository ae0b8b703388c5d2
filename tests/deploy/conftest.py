"""The chart, rendered by a real Helm."""

import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/chart"
EXAMPLES = sorted(path.stem for path in (CHART / "examples").glob("*.yaml"))
KUBERNETES = "1.33.0"  # Helm as `go install` builds it knows no version by itself


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install what is missing before the tests, since that may take longer than one of them is given."""
    if any(Path(__file__).parent in item.path.parents for item in session.items):
        for name in ("helm", "kube_score", "promtool"):
            _found(name)


@functools.cache
def _found(name: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", str(ROOT / f"scripts/{name}.sh")], capture_output=True, text=True)


def tool(name: str) -> str:
    """The path of a program that a script of the same name finds or installs."""
    found = _found(name)
    if found.returncode:
        pytest.skip(f"no {name}: {found.stderr.strip().splitlines()[-1]}")
    return found.stdout.strip()


def helm() -> str:
    return tool("helm")


@dataclass(frozen=True)
class Rendered:
    """What Helm made of the chart."""

    objects: tuple[dict[str, Any], ...]

    def one(self, kind: str, name: str = "") -> dict[str, Any]:
        """The only object of a kind whose name is, or ends with, `name`."""
        (found,) = [item for item in self.of(kind) if item["metadata"]["name"].endswith(name)]
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in self.objects if item["kind"] == kind]

    def pods(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """(name of the object, metadata and spec of the pod) of all that runs."""
        for item in self.objects:
            if item["kind"] == "Pod":
                yield item["metadata"]["name"], item["metadata"], item["spec"]
            elif item["kind"] in ("Deployment", "StatefulSet", "Job"):
                template = item["spec"]["template"]
                yield item["metadata"]["name"], template["metadata"], template["spec"]

    def pod(self, component: str) -> dict[str, Any]:
        (found,) = [
            spec for _, metadata, spec in self.pods() if metadata["labels"]["app.kubernetes.io/component"] == component
        ]
        return found

    def env(self, component: str) -> dict[str, Any]:
        """A container's variables: a value, or (Secret, key)."""
        found = {}
        for item in self.pod(component)["containers"][0]["env"]:
            secret = item.get("valueFrom", {}).get("secretKeyRef")
            found[item["name"]] = (secret["name"], secret["key"]) if secret else item["value"]
        return found


def run_helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, timeout=60)


@functools.cache
def _template(example: str, sets: str, release: str) -> "subprocess.CompletedProcess[str]":
    files = ["-f", str(CHART / "examples" / f"{example}.yaml")] if example else []
    return subprocess.run(
        [helm(), "template", release, str(CHART), "-n", "rag", "--kube-version", KUBERNETES, *files, "-f", "-"],
        input=sets or "{}", capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def render(example: str = "", *, release: str = "anchorage", **values: Any) -> Rendered:
    """The objects of an example, or of the default values, with `values` on top."""
    return _rendered(example, yaml.safe_dump(values), release)


def parsed(text: str) -> Rendered:
    """Manifests, by the parser in C where there is one: it is ten times faster."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Rendered(tuple(item for item in yaml.load_all(text, Loader=loader) if item))


@functools.cache
def _rendered(example: str, sets: str, release: str) -> Rendered:
    done = _template(example, sets, release)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def refused(example: str = "", **values: Any) -> str:
    """What Helm says of values that it does not take."""
    done = _template(example, yaml.safe_dump(values), "anchorage")
    assert done.returncode != 0, "these values were taken"
    return done.stderr
