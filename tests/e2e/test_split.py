"""Retrieval, ingest, chat and MCP in pods of their own, with a Postgres and a volume of the cluster in place of managed ones."""

import pytest
from bench.kubernetes import CHART, Release, ask, ingest, kubectl
from bench.load import Load

from .conftest import NOTE, QUESTION

HERE = {
    "database": {"kind": "postgres"},
    "secrets": {
        "env": dict.fromkeys(
            ["VECTOR_DB_URL", "STATE_DB_URL", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        )
    },
    "config": {"LLM_MODEL": None},
    "blobs": {"kind": "pvc", "url": "", "persistence": {"size": "1Gi"}},
    "ingress": {"enabled": False},
    "api": {"service": {"type": "NodePort"}, "autoscaling": {"minReplicas": 2}},
}


def test_the_roles_answer_together_and_survive_one_another(fresh: str) -> None:
    if not (CHART / "examples/microservices.yaml").exists():
        pytest.skip("this chart has no example microservices")
    release = Release(fresh, "microservices", HERE)
    release.install()
    with release.client() as client:
        document_id = ingest(client, "ghent.txt", NOTE)
        answer = ask(client, QUESTION)
        assert document_id in [item["document_id"] for item in answer["citations"]]
    with Load(release.address(), QUESTION, clients=2, streams=2) as load:
        load.until_requests(50)
        with load.disturbance():
            for component in ("retrieval", "api", "ingest"):
                kubectl("-n", fresh, "rollout", "restart", f"deployment/{release.name}-{component}")
                release.rolled_out()
        load.until_requests(load.tally.requests + 50)
    assert not load.tally.failures and not load.tally.lost, load.tally.figures()
