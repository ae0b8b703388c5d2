"""Scaling, disruption, monitoring; Postgres, CloudNativePG, Redis and volumes."""

import re
from typing import Any

import pytest
from prometheus_client import generate_latest

from anchorage.telemetry import REGISTRY

from .conftest import render


def metric(hpa: dict[str, Any]) -> list[str]:
    return [(item.get("resource") or item["pods"]["metric"])["name"] for item in hpa["spec"]["metrics"]]


def test_the_api_scales_up_at_once_and_down_slowly() -> None:
    rendered = render("production")
    spec = rendered.one("HorizontalPodAutoscaler", "-api")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 10)
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert up["stabilizationWindowSeconds"] == 0 and up["selectPolicy"] == "Max"
    assert up["policies"] == [
        {"type": "Percent", "value": 100, "periodSeconds": 15}, {"type": "Pods", "value": 2, "periodSeconds": 15},
    ]  # fmt: skip
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Percent", "value": 50, "periodSeconds": 60}]
    assert "replicas" not in rendered.one("Deployment", "-api")["spec"], "an upgrade would undo what was scaled"


def test_memory_is_no_measure_unless_somebody_asks_for_it() -> None:
    assert metric(render(api={"autoscaling": {"enabled": True}}).one("HorizontalPodAutoscaler")) == ["cpu"]
    more = render(api={"autoscaling": {"enabled": True, "targetMemory": 90, "targetStreams": 40}})
    assert metric(more.one("HorizontalPodAutoscaler")) == ["cpu", "memory", "anchorage_inflight_streams"]


def test_workers_scale_by_the_wait_of_the_oldest_job() -> None:
    rendered = render("production")
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    assert trigger["type"] == "postgresql" and "anchorage.jobs" in trigger["metadata"]["query"]
    (found,) = rendered.one("TriggerAuthentication")["spec"]["secretTargetRef"]
    assert (found["parameter"], found["name"], found["key"]) == ("password", "anchorage-db-app", "password")
    assert trigger["metadata"]["host"] == "anchorage-db-rw.rag.svc", "KEDA asks from another namespace"
    managed = render("managed-postgres", worker={"keda": {"enabled": True}})
    (found,) = managed.one("TriggerAuthentication")["spec"]["secretTargetRef"]
    assert (found["parameter"], found["name"], found["key"]) == ("connection", "anchorage-databases", "state")
    assert "replicas" not in rendered.one("Deployment", "-worker")["spec"]
    by_metric = {"enabled": True, "trigger": "prometheus", "prometheusAddress": "http://p:9090"}
    (trigger,) = render(worker={"keda": by_metric}).one("ScaledObject")["spec"]["triggers"]
    assert trigger["type"] == "prometheus" and "anchorage_queue_oldest_seconds" in trigger["metadata"]["query"]


def test_the_query_of_keda_is_that_of_the_metric() -> None:
    import inspect

    from anchorage.adapters.postgres.queue import PostgresQueue

    (trigger,) = render("production").one("ScaledObject")["spec"]["triggers"]
    source = "".join(re.findall(r'"(.*)"', inspect.getsource(PostgresQueue.oldest))[1:])
    assert trigger["metadata"]["query"].split() == source.split()


def test_workers_without_keda_scale_by_cpu() -> None:
    rendered = render(worker={"autoscaling": {"enabled": True}})
    assert rendered.one("HorizontalPodAutoscaler", "-worker")["spec"]["scaleTargetRef"]["name"] == "anchorage-worker"


def test_disruption_leaves_pods_and_lets_nodes_drain() -> None:
    budgets = render().of("PodDisruptionBudget")
    assert {item["metadata"]["name"] for item in budgets} == {"anchorage-api", "anchorage-worker"}
    for item in budgets:
        assert item["spec"]["maxUnavailable"] == 1 and item["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_alerts_and_autoscalers_ask_for_metrics_that_exist() -> None:
    rendered = render("production", api={"autoscaling": {"enabled": True, "targetStreams": 9}})
    text = str(rendered.one("PrometheusRule")) + str(rendered.of("HorizontalPodAutoscaler"))
    asked = set(re.findall(r"anchorage_[a-z_]+", text))
    ours = set(re.findall(r"^# TYPE (\S+)", generate_latest(REGISTRY).decode(), re.M))
    assert asked and asked <= ours
    assert "{{ $labels.which }}" in text and 'namespace="rag",service="anchorage"' in text


def test_prometheus_finds_both_roles() -> None:
    rendered = render("production")
    (expression,) = rendered.one("ServiceMonitor")["spec"]["selector"]["matchExpressions"]
    assert expression["values"] == ["api", "worker"]
    assert {"anchorage", "anchorage-worker"} < {item["metadata"]["name"] for item in rendered.of("Service")}


def test_the_trial_postgres_keeps_its_data_and_ends_in_time() -> None:
    rendered = render(
        postgres={"persistence": {"size": "3Gi", "storageClass": "fast"}, "settings": {"work_mem": "8MB"}}
    )
    spec = rendered.one("StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast" and claim["spec"]["resources"]["requests"]["storage"] == "3Gi"
    container = spec["template"]["spec"]["containers"][0]
    mounts = {item["mountPath"] for item in container["volumeMounts"]}
    assert mounts == {"/var/lib/postgresql/data", "/var/run/postgresql", "/tmp", "/dev/shm"}
    assert rendered.env("postgres")["PGDATA"].startswith("/var/lib/postgresql/data/")
    assert "work_mem=8MB" in container["args"] and spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 60


def test_a_new_chart_alone_restarts_no_database() -> None:
    rendered = render(redis={"enabled": True})
    for item in rendered.of("StatefulSet"):
        assert item["spec"]["template"]["metadata"]["labels"] == item["spec"]["selector"]["matchLabels"]


def test_cloudnativepg() -> None:
    rendered = render(
        "production", cnpg={"schedule": "0 0 3 * * *", "plugins": [{"name": "barman-cloud.cloudnative-pg.io"}]}
    )
    cluster = rendered.one("Cluster")["spec"]
    assert cluster["instances"] == 3 and cluster["bootstrap"]["initdb"]["owner"] == "anchorage"
    assert cluster["bootstrap"]["initdb"]["postInitApplicationSQL"] == ["CREATE EXTENSION IF NOT EXISTS vector"]
    assert all(isinstance(value, str) for value in cluster["postgresql"]["parameters"].values())
    assert rendered.one("ScheduledBackup")["spec"]["cluster"]["name"] == rendered.one("Cluster")["metadata"]["name"]
    assert rendered.env("api")["STATE_DB_URL"] == ("anchorage-db-app", "uri")
    assert [item["metadata"]["name"] for item in rendered.of("StatefulSet")] == ["anchorage-redis"]


def test_redis_writes_both_of_its_logs_and_shows_no_password() -> None:
    rendered = render(redis={"enabled": True})
    assert rendered.one("ConfigMap")["data"]["ANCHORAGE_CACHE__BACKEND"] == "redis"
    other = render(redis={"enabled": True}, config={"ANCHORAGE_CACHE__BACKEND": "postgres"})
    assert other.one("ConfigMap")["data"]["ANCHORAGE_CACHE__BACKEND"] == "postgres"
    (container,) = rendered.pod("redis")["containers"]
    (script,) = container["args"]
    assert "--appendonly yes" in script and "--save 900 1" in script
    assert "--requirepass" not in script, "a list of processes would show it"
    assert script.splitlines()[2].startswith("exec redis-server /run/redis/redis.conf"), "it must get the signal to end"


def test_documents_are_on_a_shared_volume_or_in_a_bucket() -> None:
    rendered = render()
    claim = rendered.one("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for component in ("api", "worker"):
        volumes = {item["name"]: item for item in rendered.pod(component)["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert "emptyDir" in {item["name"]: item for item in rendered.pod("migrate")["volumes"]}["data"]
    bucket = render("managed-postgres")
    assert not bucket.of("PersistentVolumeClaim")
    assert bucket.env("worker")["ANCHORAGE_BLOBS__URL"] == "s3://anchorage-documents/originals"
    own = render(blobs={"persistence": {"existingClaim": "mine"}})
    assert not own.of("PersistentVolumeClaim")


@pytest.mark.parametrize(("values", "image"), [
    ({"tag": "1.2"}, "anchorage:1.2"), ({}, "anchorage:0.1.0"), ({"tag": "1.2", "digest": "sha256:" + "a" * 64}, "anchorage@sha256:" + "a" * 64),
])  # fmt: skip
def test_the_image_by_tag_and_by_digest(values: dict[str, str], image: str) -> None:
    rendered = render(image=values)
    ours = {
        container["image"]
        for name, _, spec in rendered.pods() if "postgres" not in name
        for container in [*spec.get("initContainers", []), *spec["containers"]]
    }  # fmt: skip
    assert ours == {image}


def test_the_chart_is_of_this_release() -> None:
    from importlib.metadata import version

    assert render().one("ConfigMap")["metadata"]["labels"]["app.kubernetes.io/version"] == version("anchorage")
