"""The sizing model: more of anything never takes less, its values are the chart's, and requests cover what was measured."""

import json
import subprocess
import sys
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from .conftest import ROOT, render

SCRIPT = ROOT / "deploy/scripts/sizing.py"
GROWING = (
    "chunks", "streams", "api_replicas", "api_cpu", "api_memory", "worker_replicas", "postgres_memory", "postgres_storage", "connections", "cost",
)  # fmt: skip


def _module() -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("sizing", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["sizing"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


sizing = _module()


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
    st.integers(0, 10**5),
    st.sampled_from(["local", "remote"]),
)
def test_more_never_takes_less(documents: int, more: int, users: int, others: int, model: str) -> None:
    small = sizing.size(sizing.Wanted(documents, 5, users, 12, 0.02, model, 2))
    large = sizing.size(sizing.Wanted(documents + more, 5, users + others, 12, 0.02, model, 2))
    assert all(getattr(small, name) <= getattr(large, name) for name in GROWING)
    assert small.api_replicas >= 2 and small.worker_replicas >= 1


def test_local_models_cost_processor_time_and_no_tokens() -> None:
    local, remote = (sizing.size(sizing.Wanted(1000, 5, 5000, 12, 0, model, 2)) for model in ("local", "remote"))
    assert local.api_cpu > remote.api_cpu and local.api_memory > remote.api_memory
    assert local.cost_of_tokens == 0 < remote.cost_of_tokens


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60)


def test_the_chart_takes_the_values_that_it_prints() -> None:
    for users in ("50", "20000"):
        done = run("--documents", "20000", "--users", users)
        assert done.returncode == 0, done.stderr
        values = yaml.safe_load(done.stdout[done.stdout.index("\napi:") :])
        assert render(**values).pod("api")["containers"][0]["resources"]["requests"]["memory"].endswith("Mi")


def test_prices_are_the_users_and_misuse_is_told() -> None:
    free = json.loads(
        run("--documents", "10", "--users", "5", "--json", "--prices", "cpu=0,memory=0,storage=0,object=0").stdout
    )
    assert free["cost"] == 0
    for wrong, told in (("gpu=1", "'gpu' is no price"), ("cpu=much", "is no number")):
        done = run("--documents", "10", "--users", "5", "--prices", wrong)
        assert done.returncode == 2 and told in done.stderr
    assert run("--documents", "-1", "--users", "5").returncode == 2


def test_requests_cover_what_was_measured() -> None:
    at, rendered = sizing.Measured(), render()
    for component, measured in (("api", at.api_bytes[0]), ("worker", at.worker_bytes)):
        resources = rendered.pod(component)["containers"][0]["resources"]
        assert int(resources["requests"]["memory"].removesuffix("Mi")) * 1024**2 >= 1.4 * measured
