"""An upgrade finds what the charts before left: what Kubernetes lets nobody change, and what holds state, is as it was in the chart 0.1.0."""

from typing import Any

from .conftest import refused, render

STATE = {"redis": {"enabled": True}}


def selector(component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "anchorage", "app.kubernetes.io/instance": "anchorage", "app.kubernetes.io/component": component,
    }  # fmt: skip


def test_workloads_keep_their_names_and_selectors() -> None:
    rendered = render(**STATE)
    found = {
        (item["kind"], item["metadata"]["name"]): item["spec"]["selector"]["matchLabels"]
        for kind in ("Deployment", "StatefulSet")
        for item in rendered.of(kind)
    }
    assert found == {
        ("Deployment", "anchorage-api"): selector("api"), ("Deployment", "anchorage-worker"): selector("worker"),
        ("StatefulSet", "anchorage-postgres"): selector("postgres"), ("StatefulSet", "anchorage-redis"): selector("redis"),
    }  # fmt: skip


def test_state_is_where_it_was() -> None:
    rendered = render(**STATE)
    claims = {
        item["metadata"]["name"]: (
            item["spec"]["serviceName"],
            [claim["metadata"]["name"] for claim in item["spec"]["volumeClaimTemplates"]],
        )
        for item in rendered.of("StatefulSet")
    }
    assert claims == {
        "anchorage-postgres": ("anchorage-postgres", ["data"]),
        "anchorage-redis": ("anchorage-redis", ["data"]),
    }
    assert [item["metadata"]["name"] for item in rendered.of("PersistentVolumeClaim")] == ["anchorage-documents"]
    secrets = {item["metadata"]["name"]: set(item["data"]) for item in rendered.of("Secret")}
    assert secrets == {"anchorage-postgres": {"password"}, "anchorage-redis": {"password"}}, (
        "what is there is looked up by these"
    )
    env = rendered.env("postgres")
    assert (env["POSTGRES_USER"], env["POSTGRES_DB"], env["PGDATA"]) == (
        "anchorage",
        "anchorage",
        "/var/lib/postgresql/data/pgdata",
    )


def test_the_roles_join_a_release_without_renaming_what_is_there() -> None:
    before, after = (
        {(item["kind"], item["metadata"]["name"]) for item in found.objects if item["kind"] != "Job"}
        for found in (render(), render(**{role: {"enabled": True} for role in ("retrieval", "ingest", "mcp")}))
    )
    assert before < after


def test_values_that_moved_are_told_with_their_new_place() -> None:
    old: dict[str, Any] = {"api": {"preStopSleep": 5, "drainTimeout": 20}}
    told = refused(**old)
    assert "api.preStopSleep is now api.linger" in told and "--reset-then-reuse-values" in told
