"""The example for production, as far as a cluster without its operators can: Postgres and volumes of the cluster's own in their place."""

import os

import pytest
import yaml
from bench.kubernetes import CHART, Release, apply, ask, get, ingest, kubectl, until

from .conftest import NOTE, QUESTION

OPERATORS = {
    "database": {"kind": "postgres"},
    "secrets": {"external": {"enabled": False}},
    "blobs": {"kind": "pvc", "url": "", "persistence": {"size": "1Gi"}},
    "worker": {"keda": {"enabled": False}, "autoscaling": {"enabled": True}},
    "monitoring": {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}},
}
"""What the example leaves to operators, turned off."""


def test_production_without_its_operators(fresh: str) -> None:
    redis = os.environ.get("E2E_REDIS_IMAGE", "")
    repository, _, tag = redis.rpartition(":")
    cache = {"enabled": bool(redis), **({"image": {"repository": repository, "tag": tag}} if redis else {})}
    config = {"LLM_MODEL": None, "ANCHORAGE_HTTP__ALLOWED_HOSTS": "*"}
    release = Release(fresh, "production", {
        **OPERATORS, "redis": cache, "config": config, "networkPolicy": {"apiFrom": []}, "api": {"service": {"type": "NodePort"}},
    })  # fmt: skip
    release.install()
    with release.client() as client:
        ingest(client, "ghent.txt", NOTE)
        assert "1827" in ask(client, QUESTION)["answer"]
    until("the least number of its HPA", lambda: len(release.ready()) == 3)
    budget = until("a budget for them", lambda: _budget(release))
    assert budget["expectedPods"] == 3 and budget["disruptionsAllowed"] == 1
    assert get("hpa", fresh, f"{release.name}-api")["spec"]["maxReplicas"] == 10
    assert get("ingress", fresh, release.name)["spec"]["tls"] == [
        {"secretName": "anchorage-tls", "hosts": ["anchorage.example.com"]}
    ]


def _budget(release: Release) -> dict[str, int]:
    """What its disruption budget allows, once that has seen all pods of the API as healthy."""
    status: dict[str, int] = get("pdb", release.namespace, f"{release.name}-api")["status"]
    return status if status["currentHealthy"] == 3 else {}


@pytest.mark.parametrize("example", sorted(path.stem for path in (CHART / "examples").glob("*.yaml")))
def test_the_api_server_takes_every_object_it_knows(fresh: str, example: str) -> None:
    """Each example, without the kinds of operators that are not there."""
    known = {line.split()[-1] for line in kubectl("api-resources", "--no-headers").splitlines()}
    release = Release(fresh, example)
    rendered = [item for item in yaml.safe_load_all(release.template()) if item]
    ours = [item for item in rendered if item["kind"] in known]
    assert {"Deployment", "Service", "NetworkPolicy"} <= {item["kind"] for item in ours}
    apply(fresh, *(item for item in ours if item["kind"] == "ServiceAccount"))  # without its own no pod is looked at
    kubectl("-n", fresh, "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(ours))
