"""A release of the chart on the cluster that KUBECONFIG names: what the end-to-end tests and bench.cluster share.

E2E_IMAGE names the image (anchorage:dev), E2E_POSTGRES_IMAGE one of Postgres with pgvector, where the chart's own is not to be had;
both must be where the nodes find them. E2E_ADDRESS is where NodePorts answer, the first node's address by default.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy/chart"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
Found = TypeVar("Found")


def until(what: str, attempt: Callable[[], Found], seconds: float = 120) -> Found:
    """Poll until the attempt gives something true. Raises `AssertionError` after so many seconds, with what it gave last."""
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        found = attempt()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s: {found!r}")


def run(*command: str, stdin: str | None = None, seconds: float = 120) -> str:
    """What a command prints. Raises `AssertionError` with its errors where it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{' '.join(command)[:300]}: {done.stderr.strip()[-3000:]}"
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
    return run("kubectl", *arguments, stdin=stdin, seconds=seconds)


def helm(*arguments: str, stdin: str | None = None, seconds: float = 900) -> str:
    return run(run("sh", str(ROOT / "scripts/helm.sh"), seconds=900).strip(), *arguments, stdin=stdin, seconds=seconds)


def get(kind: str, namespace: str, *arguments: str) -> Any:
    """An object, or the list of them, as `kubectl get` gives it."""
    return json.loads(kubectl("-n", namespace, "get", kind, *arguments, "-o", "json"))


def apply(namespace: str, *objects: Mapping[str, Any]) -> None:
    kubectl("-n", namespace, "apply", "-f", "-", stdin=yaml.safe_dump_all(objects))


def restricted_pod(name: str, command: Sequence[str]) -> dict[str, Any]:
    """A pod of the image that runs a command, and that the restricted Pod Security Standard lets in."""
    container = {
        "name": "main", "image": os.environ.get("E2E_IMAGE", "anchorage:dev"), "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "enableServiceLinks": False, "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def node_address() -> str:
    """Where NodePorts answer."""
    if "E2E_ADDRESS" in os.environ:
        return os.environ["E2E_ADDRESS"]
    addresses = get("nodes", "default")["items"][0]["status"]["addresses"]
    return str(next(item["address"] for item in addresses if item["type"] == "InternalIP"))


@contextlib.contextmanager
def namespace(prefix: str = "e2e") -> Iterator[str]:
    """A namespace of its own, in which only restricted pods may run; deleted at the end with all that is in it."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    labels = {**RESTRICTED, "anchorage-e2e": "true"}
    apply("default", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        yield name
    finally:
        if "E2E_KEEP" not in os.environ:
            kubectl("delete", "namespace", name, "--timeout=180s", seconds=200)


def before() -> tuple[str, Path]:
    """The image of the release before, or none, and its chart."""
    return os.environ.get("E2E_PREVIOUS_IMAGE", ""), Path(os.environ.get("E2E_PREVIOUS_CHART", CHART))


def _laid(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The base with more on top."""
    both = {
        key: _laid(base[key], value) if isinstance(value, Mapping) and isinstance(base.get(key), Mapping) else value
        for key, value in more.items()
    }
    return {**base, **both}


def _cleared(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None: Helm does not let one file of values take away what another one gave."""
    return {
        key: _cleared(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }


def common(image: str = "") -> dict[str, Any]:
    """Values that name the images, and that ask for little processor time, so that eight pods find room on a small node."""
    little = {"resources": {"requests": {"cpu": "20m"}}}
    repository, _, tag = (image or os.environ.get("E2E_IMAGE", "anchorage:dev")).rpartition(":")
    values: dict[str, Any] = {"image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}}
    for component in ("api", "worker", "postgres", "redis", "migrate", "retrieval", "ingest", "mcp"):
        values[component] = little.copy()
    if found := os.environ.get("E2E_POSTGRES_IMAGE"):
        repository, _, tag = found.rpartition(":")
        uid = int(os.environ.get("E2E_POSTGRES_UID", "999"))
        values["postgres"] |= {"image": {"repository": repository, "tag": tag}, "uid": uid}
    return values


@dataclass
class Release:
    """An installed release."""

    namespace: str
    example: str = "minikube"
    values: Mapping[str, Any] | None = None
    name: str = "anchorage"
    image: str = ""
    chart: Path = CHART

    def install(self, *, wait: bool = True, **more: Any) -> None:
        """Install it, or upgrade it to other values, and wait until its pods are ready."""
        self.values = _laid(self.values or {}, more)
        self._helm("upgrade", "--install")
        if wait:
            self.rolled_out()

    def template(self) -> str:
        """Its objects for the cluster's version, as YAML."""
        version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
        return self._helm("template", "--kube-version", version)

    def _helm(self, *command: str) -> str:
        example = yaml.safe_load((self.chart / "examples" / f"{self.example}.yaml").read_text("utf-8"))
        values = _cleared(_laid(_laid(example, common(self.image)), self.values or {}))
        return helm(
            *command,
            self.name,
            str(self.chart),
            "-n",
            self.namespace,
            "-f",
            "-",
            stdin=yaml.safe_dump(values),
        )

    def uninstall(self) -> None:
        helm("-n", self.namespace, "uninstall", self.name, "--wait", "--timeout", "180s")

    def deployments(self) -> list[str]:
        items = get("deployments", self.namespace, "-l", f"app.kubernetes.io/instance={self.name}")["items"]
        return [item["metadata"]["name"] for item in items]

    def rolled_out(self, seconds: int = 300) -> None:
        for name in self.deployments():
            kubectl("-n", self.namespace, "rollout", "status", f"deployment/{name}", f"--timeout={seconds}s",
                    seconds=seconds + 10)  # fmt: skip

    def scale(self, replicas: int) -> None:
        kubectl("-n", self.namespace, "scale", f"deployment/{self.name}-api", f"--replicas={replicas}")

    def all_pods(self, component: str = "api") -> list[dict[str, Any]]:
        """The pods of a component, those that are being deleted too."""
        selector = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={component}"
        items: list[dict[str, Any]] = get("pods", self.namespace, "-l", selector)["items"]
        return items

    def pods(self, component: str = "api") -> list[dict[str, Any]]:
        """The pods of a component that are not being deleted."""
        return [item for item in self.all_pods(component) if "deletionTimestamp" not in item["metadata"]]

    def ready(self, component: str = "api") -> list[str]:
        """The names of its pods that are ready."""
        return [pod["metadata"]["name"] for pod in self.pods(component) if condition(pod, "Ready")]

    def delete_pod(self, name: str) -> None:
        """Delete a pod, and wait until as many as before are ready, without it."""
        count = len(self.ready())
        kubectl("-n", self.namespace, "delete", "pod", name, "--wait=false")
        until("another pod", lambda: name not in self.ready() and len(self.ready()) >= count, 180)

    def kill_pod(self, name: str) -> None:
        """Delete a pod without a warning to its processes."""
        kubectl("-n", self.namespace, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")

    def logs(self, pod: str, container: str = "") -> list[str]:
        """The lines that a pod has logged; none where it has not begun."""
        chosen = ["-c", container] if container else ["--all-containers"]
        done = subprocess.run(
            ["kubectl", "-n", self.namespace, "logs", pod, *chosen], capture_output=True, text=True, timeout=60
        )
        return done.stdout.splitlines()

    def address(self) -> str:
        """Of the NodePort."""
        (port,) = get("service", self.namespace, self.name)["spec"]["ports"]
        return f"http://{node_address()}:{port['nodePort']}"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address(), timeout=60)

    @contextlib.contextmanager
    def pod_client(self, pod: str, port: int = 8000) -> Iterator[httpx.Client]:
        """A client of one pod, past the Service."""
        command = ["kubectl", "-n", self.namespace, "port-forward", f"pod/{pod}", f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "kubectl port-forward did not begin"
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=60) as client:
                    yield client
            finally:
                process.terminate()


def condition(found: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of a pod, or of another object, holds."""
    conditions = found.get("status", {}).get("conditions") or []
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)


def ingest(client: httpx.Client, name: str, text: str, collection: str = "default") -> str:
    """Upload a text and wait until it is indexed; gives its document_id."""
    job_id = until("an upload", lambda: _uploaded(client, name, text, collection), 60)
    job = until("a worker", lambda: _ended(client, job_id), 180)
    assert job["status"] == "done", job
    return str(job["document_id"])


def _uploaded(client: httpx.Client, name: str, text: str, collection: str) -> str | None:
    answer = client.post("/api/documents", data={"collection": collection}, files={"files": (name, text)})
    return answer.json()["job_ids"][0] if answer.status_code == 202 else None


def _ended(client: httpx.Client, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = client.get(f"/api/jobs/{job_id}").raise_for_status().json()
    return job if job["status"] in ("done", "failed", "cancelled") else None


def ask(client: httpx.Client, message: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/api/chat", json={"message": message, **more}).raise_for_status().json()
    return answer
