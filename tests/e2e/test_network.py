"""What the NetworkPolicies let through, and what not."""

import subprocess
from collections.abc import Iterator

import pytest
from bench.kubernetes import Release, apply, kubectl, namespace, restricted_pod, until

PYTHON = "/opt/anchorage/bin/python"
LISTEN = [PYTHON, "-m", "http.server", "8080", "--bind", "0.0.0.0", "--directory", "/tmp"]


def reaches(place: str, pod: str, host: str, port: int) -> bool:
    """Whether a process in the pod gets a connection."""
    program = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    done = subprocess.run(
        ["kubectl", "-n", place, "exec", pod, "--", PYTHON, "-c", program], capture_output=True, text=True, timeout=60
    )
    known = ("", "TimeoutError", "ConnectionRefusedError", "OSError: [Errno 113]")
    last = done.stderr.strip().rpartition("\n")[2] or done.stderr
    assert done.returncode == 0 or any(word and word in done.stderr for word in known), last
    return done.returncode == 0


def _started(place: str, name: str) -> str:
    """The address of a pod of nobody's, which listens on 8080."""
    apply(place, restricted_pod(name, LISTEN))
    kubectl("-n", place, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
    return kubectl("-n", place, "get", "pod", name, "-o", "jsonpath={.status.podIP}").strip()


@pytest.fixture(scope="module")
def enforced() -> None:
    """Skips where nothing enforces policies."""
    with namespace() as place:
        address = _started(place, "listener")
        _started(place, "caller")
        until("a listener", lambda: reaches(place, "caller", address, 8080), 60)
        deny = {
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }  # fmt: skip
        apply(place, deny)
        try:
            until("a denial", lambda: not reaches(place, "caller", address, 8080), 30)
        except AssertionError:
            pytest.skip("the network of this cluster enforces no NetworkPolicy")


@pytest.fixture(scope="module")
def outsider(enforced: None, shared: Release) -> Iterator[str]:
    """The address of a pod of nobody's in the release's namespace."""
    yield _started(shared.namespace, "outsider")
    kubectl("-n", shared.namespace, "delete", "pod", "outsider", "--grace-period=1")


def _address(release: Release, component: str) -> str:
    return str(release.pods(component)[0]["status"]["podIP"])


def test_anybody_reaches_the_api_and_nobody_the_rest(shared: Release, outsider: str) -> None:
    for component, port, open_ in (("api", 8000, True), ("worker", 8000, False), ("postgres", 5432, False)):
        assert reaches(shared.namespace, "outsider", _address(shared, component), port) is open_, component


@pytest.mark.parametrize("component", ["api", "worker"])
def test_pods_of_ours_reach_what_they_need_and_nothing_else(shared: Release, outsider: str, component: str) -> None:
    (pod, *_) = shared.ready(component)
    assert reaches(shared.namespace, pod, f"{shared.name}-postgres", 5432)
    assert reaches(shared.namespace, pod, "ollama", 11434)
    assert not reaches(shared.namespace, pod, outsider, 8080)
    assert not reaches(shared.namespace, pod, "kubernetes.default", 443)


def test_the_database_reaches_nobody(shared: Release, outsider: str) -> None:
    program = f"exec 3<>/dev/tcp/{outsider}/8080"
    command = [
        "kubectl",
        "-n",
        shared.namespace,
        "exec",
        f"{shared.name}-postgres-0",
        "--",
        "timeout",
        "4",
        "bash",
        "-c",
    ]
    assert subprocess.run([*command, program], capture_output=True, timeout=60).returncode
    here = subprocess.run([*command, "exec 3<>/dev/tcp/127.0.0.1/5432"], capture_output=True, timeout=60)
    assert here.returncode == 0, here.stderr
