"""The example for one node, from its install to its end."""

from collections.abc import Iterator

import pytest
from bench.kubernetes import Release, ask, condition, get, helm, ingest, kubectl, namespace, until

from .conftest import NOTE, QUESTION


@pytest.fixture(scope="module")
def minikube() -> Iterator[Release]:
    with namespace() as place:
        release = Release(place)
        release.install()
        yield release


def test_answers_with_a_citation(minikube: Release) -> None:
    with minikube.client() as client:
        document_id = ingest(client, "ghent.txt", NOTE)
        answer = ask(client, QUESTION)
    assert "1827" in answer["answer"] and document_id in [item["document_id"] for item in answer["citations"]]


def test_helm_test_passes(minikube: Release) -> None:
    told = helm("-n", minikube.namespace, "test", minikube.name, "--logs", "--timeout", "240s")
    assert "An answer with its citation" in told


def _migrations(release: Release) -> list[dict[str, object]]:
    selector = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component=migrate"
    items: list[dict[str, object]] = get("jobs", release.namespace, "-l", selector)["items"]
    return items


def test_a_job_migrates_for_each_revision_and_an_upgrade_keeps_what_was_there(minikube: Release) -> None:
    (first,) = _migrations(minikube)
    assert condition(first, "Complete")
    minikube.install(commonLabels={"revision": "second"})
    (second,) = _migrations(minikube)  # Helm took the first one away
    assert second["metadata"] != first["metadata"]
    until("the migration", lambda: condition(_migrations(minikube)[0], "Complete"), 60)
    with minikube.client() as client:
        assert "1827" in ask(client, QUESTION)["answer"]


def test_state_outlives_the_pods_of_the_database(minikube: Release) -> None:
    kubectl("-n", minikube.namespace, "delete", "pod", f"{minikube.name}-postgres-0", "--timeout=180s", seconds=200)
    until("the database", lambda: minikube.ready("postgres"), 180)
    until("the API", lambda: minikube.ready(), 120)
    with minikube.client() as client:
        assert "1827" in ask(client, QUESTION)["answer"]


def test_uninstalling_leaves_claims_and_the_password_that_opens_them(minikube: Release) -> None:
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list,delete", "-o", "name").split()
    # The pod of `helm test` stays as all hooks of Helm do, so that its log can be read.
    not_ours = ("event", "podmetrics", f"pod/{minikube.name}-test")

    def found(place: str) -> set[str]:
        names = kubectl("-n", place, "get", ",".join(kinds), "-o", "name", "--ignore-not-found").split()
        return {name for name in names if not name.startswith(not_ours)}

    minikube.uninstall()

    expected = {
        f"{kind}/{name}"
        for kind, name in (
            ("persistentvolumeclaim", f"{minikube.name}-documents"),
            ("persistentvolumeclaim", f"data-{minikube.name}-postgres-0"),
            ("secret", f"{minikube.name}-postgres"),
        )
    }
    with namespace() as empty:  # clusters put things of theirs into each
        until("the end of all else", lambda: not found(minikube.namespace) - found(empty) - expected, 120)
        assert found(minikube.namespace) - found(empty) == expected
    minikube.install()  # which finds what was left
    with minikube.client() as client:
        assert "1827" in ask(client, QUESTION)["answer"]
