"""What is wrong is said by Helm, by the pod's state, or in its first line."""

from typing import Any

import pytest
from bench.kubernetes import Release, apply, ask, get, ingest, kubectl, restricted_pod, until

from .conftest import NOTE, QUESTION


def _first_line(release: Release, component: str, *, containing: str = "") -> str:
    """What the newest pod of a component says first of all, in any of its containers."""

    def said() -> str:
        pods = sorted(release.all_pods(component), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        for pod in reversed(pods):
            for kind in ("initContainers", "containers"):
                for container in pod["spec"].get(kind, []):
                    lines = release.logs(pod["metadata"]["name"], container["name"])
                    if lines and containing in lines[0]:
                        return lines[0]
        return ""

    return until(f"a line of {component}", said, 240)


def _waiting(release: Release, component: str) -> str:
    """Why the first container of a component waits."""

    def reason() -> str:
        for pod in release.pods(component):
            status = pod["status"]
            for found in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
                waiting = found["state"].get("waiting", {})
                if waiting.get("message") and waiting["reason"] == "CreateContainerConfigError":
                    return str(waiting["message"])
        return ""

    return until("a reason", reason, 120)


def test_a_secret_without_the_key(fresh: str) -> None:
    apply(
        fresh,
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai-token"}, "stringData": {"token": "x"}},
    )
    release = Release(
        fresh, values={"secrets": {"env": {"OPENAI_API_KEY": {"secret": "openai-token", "key": "tokken"}}}}
    )
    release.install(wait=False)
    assert "tokken" in _waiting(release, "api")


def test_a_misspelt_setting(fresh: str) -> None:
    release = Release(fresh, values={"config": {"ANCHORAGE_HTTP__DRAIN_TIMEOUTT": "5"}})
    release.install(wait=False)
    assert "ANCHORAGE_HTTP__DRAIN_TIMEOUTT" in _first_line(release, "migrate")


@pytest.mark.parametrize("url", ["postgresql://a:b@nowhere:5432/a", "postgresql://a:b@10.255.255.1:5432/a"])
def test_a_database_that_does_not_answer(fresh: str, url: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "databases"}, "stringData": {"url": url}}
    apply(fresh, secret)
    where = {"secret": "databases", "key": "url"}
    release = Release(fresh, values={
        "database": {"kind": "external", "wait": 5}, "secrets": {"env": {"VECTOR_DB_URL": where, "STATE_DB_URL": where}},
    })  # fmt: skip
    release.install(wait=False)
    for component in ("migrate", "api"):
        line = _first_line(release, component)
        assert "VECTOR_DB_URL" in line and "a:b" not in line, line


def test_a_pgvector_that_is_too_old(fresh: str) -> None:
    """As far as the catalogue tells: an image with an old one is not to be had everywhere."""
    release = Release(fresh)
    release.install()
    older = "UPDATE pg_extension SET extversion = '0.5.1' WHERE extname = 'vector'"
    kubectl("-n", fresh, "exec", f"{release.name}-postgres-0", "--", "psql", "-U", "anchorage", "-c", older)
    release.install(wait=False, commonLabels={"revision": "second"})
    line = _first_line(release, "migrate", containing="pgvector")
    assert "0.5.1" in line and "ALTER EXTENSION vector UPDATE" in line, line


def test_a_volume_that_cannot_be_written(fresh: str) -> None:
    volume: dict[str, Any] = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": fresh},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
            "claimRef": {"namespace": fresh, "name": "closed"}, "hostPath": {"path": "/usr/share"},
        },
    }  # fmt: skip
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "closed"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "volumeName": fresh,
                 "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    apply(fresh, volume, claim)
    try:
        release = Release(fresh, values={"blobs": {"persistence": {"existingClaim": "closed"}}})
        release.install(wait=False)
        for component in ("worker", "api"):
            line = _first_line(release, component, containing="/data")
            assert "written" in line or "kept" in line, line
        release.uninstall()
    finally:
        kubectl("delete", "pv", fresh, "--wait=false")


def test_two_releases_in_one_namespace(fresh: str) -> None:
    """Each has its own of everything, and one of the same name is refused."""
    releases = [Release(fresh), Release(fresh, name="other-anchorage")]
    for release in releases:
        release.install(wait=False)
    for release in releases:
        release.rolled_out()
    with releases[0].client() as first, releases[1].client() as second:
        ingest(first, "ghent.txt", NOTE)
        assert "1827" in ask(first, QUESTION)["answer"]
        assert ask(second, QUESTION)["abstained"]
    with pytest.raises(AssertionError, match="anchorage"):
        Release(fresh, name="third", values={"fullnameOverride": "anchorage"}).install(wait=False)
    releases[1].uninstall()
    assert get("statefulset", fresh, "anchorage-postgres")["status"]["readyReplicas"] == 1


def test_an_image_that_is_not_there(fresh: str) -> None:
    """The pod's own state tells it; the release can be mended by an upgrade."""
    apply(fresh, restricted_pod("unrelated", ["/opt/anchorage/bin/python", "-c", "pass"]))
    release = Release(fresh, image="anchorage:no-such-tag")
    release.install(wait=False)

    def waiting() -> str:
        found = [pod["status"].get("containerStatuses", [{}])[0] for pod in release.pods("migrate")]
        return " ".join(item.get("state", {}).get("waiting", {}).get("reason", "") for item in found).strip()

    until("a reason", lambda: "ImagePull" in waiting(), 120)
    release.image = ""
    release.install()
    assert release.ready()
