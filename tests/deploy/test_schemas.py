"""What is rendered is what Kubernetes takes, in every version from 1.30 on, to the last field."""

import functools
import json
import re
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_validate import utils
from referencing import Registry, Resource

from .conftest import CHART, EXAMPLES, KUBERNETES, Rendered, refused, render, run_helm, tool

VERSIONS = [version for version in utils.all_versions() if tuple(map(int, version.split("."))) >= (1, 30, 0)]
# Kinds of operators, of which Kubernetes has no schema; their tests look into them.
FOREIGN = {
    "postgresql.cnpg.io/v1", "keda.sh/v1alpha1", "monitoring.coreos.com/v1", "external-secrets.io/v1",
    "bitnami.com/v1alpha1", "gateway.networking.k8s.io/v1",
}  # fmt: skip
EVERYTHING: dict[str, Any] = {
    "redis": {"enabled": True},
    "api": {
        "autoscaling": {"enabled": True, "targetMemory": 90, "targetStreams": 50},
        "rootPath": "/agent",
        "service": {"type": "LoadBalancer", "nodePort": 30800, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "placement": {
            "priorityClassName": "high",
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"operator": "Exists"}],
        },
    },
    "worker": {"autoscaling": {"enabled": True}},
    "retrieval": {"enabled": True, "autoscaling": {"enabled": True}},
    "ingest": {"enabled": True, "rootPath": "/text-to-vec"},
    "mcp": {"enabled": True},
    "sources": [{"location": "https://example.com/it's", "every": "1h", "options": {"depth": 2}}],
    "ingress": {"enabled": True, "path": "/agent", "hosts": ["a.example.com"], "tls": [{"secretName": "tls"}]},
    "networkPolicy": {"apiFrom": [{"podSelector": {}}]},
    "image": {"pullSecrets": ["registry"]},
    "commonLabels": {"team": "search"},
}


@functools.cache
def _definitions(version: str) -> Any:
    return Resource.from_contents(
        utils.schema_contents(f"kubernetes-json-schema/v{version}-local-strict/_definitions.json", version)
    )


def complaints(item: dict[str, Any], version: str) -> list[str]:
    api = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", item["apiVersion"])
    name = f"kubernetes-json-schema/v{version}-local-strict/{item['kind'].lower()}-{api}.json"
    schema = utils.schema_contents(name, version)
    registry: Any = _definitions(version) @ Registry()
    checker = jsonschema.Draft202012Validator(schema, registry=registry)
    where = f"{version} {item['kind']}/{item['metadata']['name']}"
    return [f"{where} {'.'.join(map(str, error.path))}: {error.message}" for error in checker.iter_errors(item)]


def all_complaints(rendered: Rendered, version: str) -> list[str]:
    return [
        found for item in rendered.objects if item["apiVersion"] not in FOREIGN for found in complaints(item, version)
    ]


def test_versions_from_1_30_on_are_checked() -> None:
    assert VERSIONS[0] == "1.30.0" and len(VERSIONS) >= 8


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_example(version: str) -> None:
    found = [text for name in EXAMPLES for text in all_complaints(render(name), version)]
    assert not found + all_complaints(render(), version) + all_complaints(render(**EVERYTHING), version)


def test_the_check_sees_a_misspelt_field() -> None:
    deployment = json.loads(json.dumps(render().one("Deployment", "-api")))
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    (found,) = complaints(deployment, VERSIONS[-1])
    assert "enableServiceLink" in found


@pytest.mark.parametrize("example", ["", *EXAMPLES])
def test_helm_has_nothing_to_say(example: str) -> None:
    files = ["-f", str(CHART / f"examples/{example}.yaml")] if example else []
    done = run_helm("lint", "--strict", "--kube-version", KUBERNETES, str(CHART), *files)
    assert done.returncode == 0 and "[WARNING]" not in done.stdout, done.stdout


def test_names_are_unique_and_two_releases_live_side_by_side() -> None:
    def names(release: str) -> list[tuple[str, str]]:
        return [(item["kind"], item["metadata"]["name"]) for item in render(release=release, **EVERYTHING).objects]

    one, two = names("one"), names("two")
    assert len(set(one)) == len(one) and not set(one) & set(two)


def test_an_old_cluster_is_told() -> None:
    done = run_helm("template", "a", str(CHART), "--kube-version", "1.29.0")
    assert done.returncode and ">=1.30" in done.stderr


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"replica": 3}, "replica"),
    ({"api": {"replicaCount": 3}}, "replicaCount"),
    ({"api": {"replicas": "three"}}, "replicas"),
    ({"api": {"service": {"type": "Nodeport"}}}, "ClusterIP"),
    ({"database": {"kind": "mysql"}}, "postgres"),
    ({"secrets": {"env": {"OPENAI_API_KEY": {"secret": "openai", "field": "token"}}}}, "field"),
    ({"secrets": {"env": {"OPENAI_API_KEY": {"secret": "openai"}}}}, "key"),
    ({"secrets": {"env": {"openai": {"secret": "a", "key": "b"}}}}, "openai"),
    ({"config": {"OPENAI_API_KEY": "sk-1"}}, "secrets.env.OPENAI_API_KEY"),
    ({"config": {"ANCHORAGE_LLM__API_KEY": "sk-1"}}, "secrets.env.ANCHORAGE_LLM__API_KEY"),
    ({"config": {"STATE_DB_URL": "postgresql://a:b@c/d"}}, "secrets.env.STATE_DB_URL"),
    ({"config": {"ANCHORAGE_HTTP__DRAIN_TIMEOUT": 5}}, "api.drainTimeout"),
    ({"database": {"kind": "external"}}, "VECTOR_DB_URL"),
    ({"blobs": {"kind": "s3"}}, "blobs.url"),
    ({"blobs": {"kind": "s3", "url": "bucket"}}, "url"),
    ({"worker": {"autoscaling": {"enabled": True}, "keda": {"enabled": True}}}, "Enable one of them"),
    ({"worker": {"keda": {"enabled": True, "trigger": "prometheus"}}}, "prometheusAddress"),
    ({"ingress": {"enabled": True}}, "ingress.hosts"),
    ({"httpRoute": {"enabled": True}}, "parentRefs"),
    ({"api": {"drainTimeout": 25}}, "api.shutdownTimeout"),
    ({"api": {"autoscaling": {"enabled": True, "minReplicas": 12}}}, "maxReplicas"),
    ({"sources": [{"url": "s3://b/"}]}, "url"),
    ({"sources": [{"location": "s3://b/", "every": "hourly"}]}, "every"),
    ({"secrets": {"external": {"enabled": True}}}, "secrets.external.store.name"),
    ({"image": {"digest": "abc"}}, "digest"),
    ({"api": {"preStopSleep": 5}}, "api.linger"),
    ({"config": {"ANCHORAGE_HTTP__LINGER": 5}}, "api.linger"),
    ({"config": {"ANCHORAGE_ROLES__TOKEN": "x"}}, "secrets.env.ANCHORAGE_ROLES__TOKEN"),
    ({"retrieval": {"enabled": True}, "config": {"RETRIEVAL_URL": "http://r"}}, "retrieval.enabled"),
    ({"retrieval": {"autoscaling": {"enabled": True, "minReplicas": 11}}}, "retrieval.autoscaling.maxReplicas"),
    ({"ingest": {"enabled": True, "rootPath": "/a"}, "api": {"rootPath": "/a"}}, "ingest.rootPath"),
    ({"api": {"resources": {"request": {"cpu": 1}}}}, "request"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "told"), MISTAKES, ids=[told + str(n) for n, (_, told) in enumerate(MISTAKES)])
def test_mistakes_are_told_at_the_install(values: dict[str, Any], told: str) -> None:
    assert told in refused(**values)


# What kube-score asks for and we do not do, each with the reason.
EXCEPTIONS = {
    "container-image-pull-policy": "tags are fixed, and nodes may have no registry",
    "deployment-has-host-podantiaffinity": "pods that share a volume of one node must be on it; of others test_pods.py asks it",
    "deployment-replicas": "the examples for one node have one pod",
    "service-type": "an example shows a NodePort",
    "container-security-context-user-group-id": "the official images of Postgres and Redis run as 999",
    "pod-probes-identical": "pg_isready is all that there is to ask of Postgres",
    "networkpolicy-targets-pod": "the pods of a CloudNativePG Cluster are made by its operator",
}


@pytest.mark.parametrize("example", ["", *EXAMPLES])
def test_kube_score_finds_nothing_that_is_not_explained(example: str) -> None:
    text = "---\n".join(yaml.safe_dump(item) for item in render(example).objects)
    ignored = [word for name in EXCEPTIONS for word in ("--ignore-test", name)]
    command = [
        tool("kube_score"),
        "score",
        "--ignore-container-cpu-limit",
        "--kubernetes-version",
        "v1.30",
        *ignored,
        "-o",
        "ci",
        "-",
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    found = [line for line in done.stdout.splitlines() if not line.startswith(("[OK]", "[SKIPPED]"))]
    assert "[OK]" in done.stdout and not found, found
