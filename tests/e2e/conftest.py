"""Releases on a real cluster. Without one that KUBECONFIG names, all of it is skipped."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.kubernetes import Release, apply, ingest, kubectl, namespace, restricted_pod

HERE = Path(__file__).parent
NOTE = "The harbour of Ghent was opened in 1827 by the guild of skippers. The lighthouse beside it was lit in 1852."
QUESTION = "When was the harbour of Ghent opened?"
HAND_OVER = {"drainTimeout": 0}
"""Streams do not get the time to end when their pod does: each is handed over to another one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """The cluster that KUBECONFIG names; a test that asks for a volume needs its default StorageClass."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip(
            "KUBECONFIG names no cluster. `make e2e` makes one where kind, docker and their images are to be had."
        )
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl was not found.")
    asked = subprocess.run(["kubectl", "get", "--raw", "/readyz"], capture_output=True, text=True, timeout=60)
    if asked.returncode:
        pytest.skip(f"the cluster that KUBECONFIG names does not answer: {asked.stderr.strip()}")


@pytest.fixture
def fresh() -> Iterator[str]:
    """A namespace for one test."""
    with namespace() as name:
        yield name


def model_pod(name: str = "ollama", *, api_key: str = "", token_delay: float = 0.0) -> tuple[dict[str, Any], ...]:
    """The model server of the tests as a Deployment with its Service; it speaks Ollama's API on Ollama's port."""
    program = (
        "import uvicorn; from anchorage.testing.model_server import Behaviour, ModelServer; "
        f"uvicorn.run(ModelServer(Behaviour(token_delay={token_delay}), api_key={api_key or None!r}, dimension=768), "
        "host='0.0.0.0', port=11434, access_log=False, lifespan='off')"
    )
    labels = {"app": name}
    pod = {**restricted_pod(name, ["/opt/anchorage/bin/python", "-c", program])["spec"], "restartPolicy": "Always"}
    header = {"name": "Authorization", "value": f"Bearer {api_key}"}
    pod["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": "/v1/models", "port": 11434, "httpHeaders": [header]}, "periodSeconds": 1, "timeoutSeconds": 10,
        "failureThreshold": 30,
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, "strategy": {"type": "Recreate"}}
    ports = [{"port": 11434, "targetPort": 11434}]
    return (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": ports},
        },
    )


def with_model(place: str, **values: Any) -> Release:
    """The example `ollama-nodeport` beside a model server in its namespace, which it alone may reach; not installed yet."""
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "ollama"}}}], "ports": [{"protocol": "TCP", "port": 11434}]}
    kubectl("-n", place, "rollout", "status", "deployment/ollama", "--timeout=120s")
    base = {
        "config": {"OLLAMA_HOST": "http://ollama:11434"}, "networkPolicy": {"egress": {"extra": [rule]}},
        "api": {"service": {"nodePort": None}},
    }  # fmt: skip
    return Release(place, "ollama-nodeport", {**base, **values})


@pytest.fixture(scope="session")
def shared(cluster: None) -> Iterator[Release]:
    """Three pods of the API with a model server that takes its time, and a note in it: for tests that leave it as it was."""
    with namespace() as place:
        apply(place, *model_pod(token_delay=0.6))
        release = with_model(place)
        release.install(api={"replicas": 3, **HAND_OVER})
        with release.client() as client:
            ingest(client, "ghent.txt", NOTE)
        yield release


@pytest.fixture
def three(shared: Release) -> Release:
    """The shared release with its three pods ready."""
    shared.scale(3)
    shared.rolled_out()
    return shared
