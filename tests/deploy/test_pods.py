"""How pods run: security, probes, the end of a pod, where they go, what they wait for."""

from typing import Any

import pytest

from anchorage.settings import load_settings

from .conftest import EXAMPLES, render
from .test_schemas import EVERYTHING

ROLES = ("api", "worker", "migrate", "sources", "test")
SERVING = ("api", "retrieval", "ingest", "mcp")
SPLIT: dict[str, Any] = {role: {"enabled": True} for role in SERVING[1:]}


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


@pytest.mark.parametrize("example", ["everything", *EXAMPLES])
def test_every_pod_meets_the_restricted_standard(example: str) -> None:
    rendered = render(**EVERYTHING) if example == "everything" else render(example)
    pods = list(rendered.pods())
    assert len(pods) >= 4
    for name, _, spec in pods:
        security = spec["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert all(
            set(volume) <= {"name", "emptyDir", "persistentVolumeClaim"} for volume in spec.get("volumes", [])
        ), name
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert all("hostPort" not in port for port in container.get("ports", [])), name


@pytest.mark.parametrize("example", ["everything", *EXAMPLES])
def test_every_container_has_requests_a_memory_limit_and_a_fixed_image(example: str) -> None:
    rendered = render(**EVERYTHING) if example == "everything" else render(example)
    for name, _, spec in rendered.pods():
        for container in containers(spec):
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}, name
            assert set(resources["limits"]) == {"memory", "ephemeral-storage"}, f"{name}: a limit of CPU throttles"
            tag = container["image"].rpartition(":")[2]
            assert tag not in ("latest", container["image"]), name


def test_each_component_has_an_account_of_its_own_without_rights() -> None:
    rendered = render(**EVERYTHING)
    accounts = [spec["serviceAccountName"] for _, _, spec in rendered.pods()]
    assert len(set(accounts)) == len(accounts) == 10
    known = rendered.of("ServiceAccount")
    assert set(accounts) <= {item["metadata"]["name"] for item in known}
    assert not any(item["automountServiceAccountToken"] for item in known)
    assert not rendered.of("Role") and not rendered.of("ClusterRole")


@pytest.mark.parametrize("component", [*SERVING, "worker"])
def test_probes_ask_the_right_paths_and_are_patient_with_a_busy_pod(component: str) -> None:
    (container,) = render(**SPLIT).pod(component)["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/startupz", "readiness": "/readyz", "liveness": "/livez"}
    assert {container[f"{kind}Probe"]["httpGet"]["port"] for kind in paths} == {"http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    liveness = container["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 60
    # The probe of readiness asks both databases, and they get 2 s.
    assert container["readinessProbe"]["timeoutSeconds"] > 2
    assert container["startupProbe"]["periodSeconds"] == 1


def test_the_worker_shows_probes_on_the_port_that_is_probed() -> None:
    assert render().pod("worker")["containers"][0]["args"] == ["worker", "--probes", "8000"]


@pytest.mark.parametrize("component", SERVING)
@pytest.mark.parametrize(("linger", "drain", "shutdown"), [(5, 20, 25), (0, 50, 60), (30, 100, 120)])
def test_a_pod_has_the_time_that_draining_takes(linger: int, drain: int, shutdown: int, component: str) -> None:
    rendered = render(api={"linger": linger, "drainTimeout": drain, "shutdownTimeout": shutdown}, **SPLIT)
    pod, env = rendered.pod(component), rendered.env(component)
    assert env["ANCHORAGE_HTTP__LINGER"] == str(linger)
    assert env["ANCHORAGE_HTTP__DRAIN_TIMEOUT"] == str(drain)
    assert env["ANCHORAGE_HTTP__SHUTDOWN_TIMEOUT"] == str(shutdown)
    assert "lifecycle" not in pod["containers"][0], "a sleep would only put the linger off"
    assert pod["terminationGracePeriodSeconds"] >= linger + shutdown + 5


def test_roles_of_their_own_know_one_another() -> None:
    rendered = render("microservices")
    assert {name: rendered.pod(name)["containers"][0]["args"] for name in SERVING} == {
        "api": ["serve"], "retrieval": ["serve", "--only", "retrieval"], "ingest": ["serve", "--only", "ingest"],
        "mcp": ["serve", "--only", "mcp"],
    }  # fmt: skip
    urls = {
        name: {key: value for key, value in rendered.env(name).items() if key.endswith("L_URL") or key == "INGEST_URL"}
        for name in SERVING
    }
    retrieval = {"RETRIEVAL_URL": "http://anchorage-retrieval:8000"}
    assert urls == {
        "api": {**retrieval, "INGEST_URL": "http://anchorage-ingest:8000"}, "mcp": retrieval, "retrieval": {}, "ingest": {},
    }  # fmt: skip
    assert {rendered.env(name)["ANCHORAGE_ROLES__TOKEN"] for name in SERVING} == {("anchorage-roles", "token")}
    assert "ANCHORAGE_ROLES__TOKEN" not in rendered.env("worker") and "ANCHORAGE_ROLES__TOKEN" not in render().env(
        "api"
    )
    own = render("microservices", roles={"auth": {"existingSecret": "mine"}})
    assert own.env("api")["ANCHORAGE_ROLES__TOKEN"] == ("mine", "token") and not own.of("Secret")


def test_only_who_takes_uploads_mounts_the_documents() -> None:
    rendered = render(blobs={"persistence": {"accessMode": "ReadWriteOnce"}}, **SPLIT)
    mounting = {
        metadata["labels"]["app.kubernetes.io/component"]
        for _, metadata, spec in rendered.pods()
        if any("persistentVolumeClaim" in volume for volume in spec.get("volumes", ()))
    }
    assert mounting == {"ingest", "worker"}
    bound = {
        meta["labels"]["app.kubernetes.io/component"]
        for _, meta, _ in rendered.pods()
        if "anchorage-documents" in meta["labels"]
    }
    assert bound == mounting and "topologySpreadConstraints" in rendered.pod("api")


def test_the_defaults_of_the_drain_are_the_settings_defaults() -> None:
    env, settings = render().env("api"), load_settings().http
    assert float(env["ANCHORAGE_HTTP__DRAIN_TIMEOUT"]) == settings.drain_timeout
    assert float(env["ANCHORAGE_HTTP__SHUTDOWN_TIMEOUT"]) == settings.shutdown_timeout


def test_a_rollout_takes_no_pod_away_before_another_one_serves() -> None:
    for component in ("-api", "-worker"):
        strategy = render().one("Deployment", component)["spec"]["strategy"]["rollingUpdate"]
        assert strategy["maxUnavailable"] == 0


@pytest.mark.parametrize("component", ["api", "worker", "sources"])
def test_pods_wait_for_migrated_databases_with_a_deadline(component: str) -> None:
    (waiting,) = render(database={"wait": 77}, **EVERYTHING).pod(component)["initContainers"]
    assert waiting["args"] == ["migrate", "--check", "--wait", "77"]
    names = {item["name"] for item in waiting["env"]}
    assert {"VECTOR_DB_URL", "STATE_DB_URL", "PGPASSWORD"} <= names


def test_a_job_migrates_before_them_and_gets_a_new_name_when_it_must_run_again() -> None:
    def name(**values: Any) -> str:
        job = render(**values).one("Job")
        assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate", "--wait", "300"]
        assert "helm.sh/hook" not in job["metadata"].get("annotations", {}), (
            "a hook would run before the release's Postgres"
        )
        return str(job["metadata"]["name"])

    assert name() == name(api={"replicas": 5})
    assert len({name(), name(image={"tag": "2"}), name(config={"LOG_LEVEL": "DEBUG"})}) == 3


def test_what_a_pod_reads_at_its_start_restarts_it_when_it_changes() -> None:
    def annotations(**values: Any) -> dict[str, str]:
        found: dict[str, str] = render(**values).one("Deployment", "-api")["spec"]["template"]["metadata"][
            "annotations"
        ]
        return found

    assert annotations() == annotations(api={"replicas": 5})
    assert annotations() != annotations(config={"LOG_LEVEL": "DEBUG"})
    assert annotations() != annotations(secrets={"rotation": "2"})


def test_pods_spread_over_zones_and_nodes() -> None:
    for component in ("api", "worker"):
        pod = render(release="rel").pod(component)
        keys = [item["topologyKey"] for item in pod["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        selected = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
        assert selected["app.kubernetes.io/component"] == component and selected["app.kubernetes.io/instance"] == "rel"


def test_pods_that_share_a_volume_of_one_node_go_to_one_node() -> None:
    rendered = render(blobs={"persistence": {"accessMode": "ReadWriteOnce"}}, sources=EVERYTHING["sources"])
    for component in ("api", "worker", "sources"):
        pod = rendered.pod(component)
        (term,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        wanted = term["labelSelector"]["matchLabels"]
        (labels,) = [meta["labels"] for _, meta, spec in rendered.pods() if spec is pod]
        assert wanted.items() <= labels.items() and "topologySpreadConstraints" not in pod
    assert "podAffinity" not in rendered.pod("migrate").get("affinity", {}), "it mounts nothing of them"


def test_placement_and_priority_are_the_users() -> None:
    pod = render(**EVERYTHING).pod("api")
    assert (pod["priorityClassName"], pod["nodeSelector"]) == ("high", {"disk": "ssd"})


def test_pods_know_how_many_threads_and_parsers_they_have() -> None:
    """By themselves they would count the node's cores."""
    rendered = render(api={"embeddingThreads": 3}, worker={"parsers": 4, "embeddingThreads": 5, "concurrency": 6})
    assert rendered.env("api")["ANCHORAGE_EMBEDDING__THREADS"] == "3"
    worker = rendered.env("worker")
    assert [
        worker[f"ANCHORAGE_{name}"] for name in ("INGEST__PARSERS", "EMBEDDING__THREADS", "INGEST__CONCURRENCY")
    ] == ["4", "5", "6"]


@pytest.mark.parametrize("example", ["everything", *EXAMPLES])
def test_anchorage_takes_the_settings_that_its_pods_get(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render(**EVERYTHING) if example == "everything" else render(example)
    there = {metadata["labels"]["app.kubernetes.io/component"] for _, metadata, _ in rendered.pods()}
    for component in there & {*SERVING, "worker"}:
        config = rendered.one("ConfigMap", "anchorage")["data"]
        with monkeypatch.context() as patch:
            for name, value in {**config, **rendered.env(component)}.items():
                secret = "postgresql://u@h/d" if name.endswith("_DB_URL") else "a secret that is long enough"
                patch.setenv(name, value if isinstance(value, str) else secret)
            settings = load_settings(roles={"only": component} if component in SPLIT else {})
        assert settings.database.vector_url and settings.database.state_url


def test_sources_are_registered_with_what_a_shell_would_break() -> None:
    sources = [
        {"location": "https://example.com/it's?a=1&b=$HOME", "collection": "my docs", "every": "1h", "options": {"depth": 2}},
        {"location": "s3://bucket/`x`/"},
    ]  # fmt: skip
    (container,) = render(sources=sources).pod("sources")["containers"]
    assert container["command"] == ["/bin/sh", "-euc"]
    assert container["args"][0].splitlines() == [
        "anchorage sources add 'https://example.com/it'\\''s?a=1&b=$HOME' --collection 'my docs' --every 1h --option 'depth=2'",
        "anchorage sources add 's3://bucket/`x`/'",
    ]


def test_labels_follow_the_convention() -> None:
    for item in render(**EVERYTHING).objects:
        labels = item["metadata"]["labels"]
        assert {"name", "instance", "version", "part-of", "managed-by"} <= {key.partition("/")[2] for key in labels}
        assert labels["team"] == "search"


def test_large_numbers_stay_numbers() -> None:
    rendered = render(
        config={"ANCHORAGE_RETRIEVAL__MAX_POSTINGS": 2_000_000, "ANCHORAGE_RETRIEVAL__DENSE_WEIGHT": 0.25, "ANCHORAGE_ANSWER__ABSTAIN": True},
        postgres={"uid": 1_000_650_000, "settings": {"max_wal_size": 10_000_000}},
        migrate={"deadline": 3_000_000},
        sources=[{"location": "https://example.com", "options": {"pages": 5_000_000}}],
    )  # fmt: skip
    assert rendered.one("ConfigMap")["data"] == {
        "ANCHORAGE_RETRIEVAL__MAX_POSTINGS": "2000000", "ANCHORAGE_RETRIEVAL__DENSE_WEIGHT": "0.25", "ANCHORAGE_ANSWER__ABSTAIN": "true",
    }  # fmt: skip
    assert rendered.pod("postgres")["securityContext"]["runAsUser"] == 1_000_650_000
    assert "max_wal_size=10000000" in rendered.pod("postgres")["containers"][0]["args"]
    assert {job["spec"]["activeDeadlineSeconds"] for job in rendered.of("Job")} == {3_000_000}
    assert "'pages=5000000'" in rendered.pod("sources")["containers"][0]["args"][0]
