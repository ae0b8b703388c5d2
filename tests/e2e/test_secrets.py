"""A key that is changed at its provider, then in its Secret."""

from typing import Any

from bench.kubernetes import apply, ask, ingest, kubectl, until

from .conftest import NOTE, QUESTION, model_pod, with_model


def _secret(value: str) -> dict[str, Any]:
    metadata = {"name": "model-token"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}


def test_a_rotated_key_reaches_the_pods(fresh: str) -> None:
    apply(fresh, _secret("first"), *model_pod(api_key="first"))
    config = {
        "OLLAMA_HOST": None, "OPENAI_BASE_URL": "http://ollama:11434/v1", "LLM_MODEL": "x", "EMBEDDING_MODEL": None,
        "ANCHORAGE_EMBEDDING__PROVIDER": "local",
    }  # fmt: skip
    release = with_model(
        fresh, config=config, secrets={"env": {"OPENAI_API_KEY": {"secret": "model-token", "key": "token"}}}
    )
    release.install(api={"replicas": 1})
    with release.client() as client:
        ingest(client, "ghent.txt", NOTE)
        assert "1827" in ask(client, QUESTION)["answer"]
        apply(fresh, *model_pod(api_key="second"))
        kubectl("-n", fresh, "rollout", "status", "deployment/ollama", "--timeout=120s")
        refused = until("a refusal", lambda: _refusal(client), 60)
        assert "key" in refused.lower(), refused
        apply(fresh, _secret("second"))
        release.install(secrets={"rotation": "second"})
        # The connection may lead to the pod before, which serves on for a while.
        until("the new key", lambda: not _refusal(client), 60)
        assert "1827" in ask(client, QUESTION)["answer"]


def _refusal(client: Any) -> str:
    answer = client.post("/api/chat", json={"message": QUESTION})
    return str(answer.json()["detail"]) if answer.is_error else ""
