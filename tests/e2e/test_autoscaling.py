"""The number of pods follows the load."""

import subprocess

import pytest
from bench.kubernetes import apply, get, ingest, until
from bench.load import Load

from .conftest import NOTE, QUESTION, model_pod, with_model


@pytest.fixture
def metrics() -> None:
    asked = subprocess.run(
        ["kubectl", "get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"], capture_output=True, text=True, timeout=60
    )
    if asked.returncode:
        pytest.skip("the cluster has no metrics API (metrics-server)")


def test_pods_of_the_api_follow_the_load(metrics: None, fresh: str) -> None:
    apply(fresh, *model_pod(token_delay=0.02))
    release = with_model(fresh)
    scaling = {"enabled": True, "minReplicas": 1, "maxReplicas": 3, "targetCPU": 50}
    release.install(api={"autoscaling": scaling, "resources": {"requests": {"cpu": "100m"}}})
    with release.client() as client:
        ingest(client, "ghent.txt", NOTE)

    def measured() -> bool:
        status = get("hpa", fresh, f"{release.name}-api")["status"]
        return bool(status.get("currentMetrics")) and len(release.ready()) == 1

    until("a measurement", measured, 180)
    with Load(release.address(), QUESTION, clients=8, streams=2) as load, load.disturbance():
        until("three pods", lambda: len(release.ready()) == 3, 300)
        load.until_requests(load.tally.requests + 100)
    assert not load.tally.failures and not load.tally.lost, load.tally.figures()
