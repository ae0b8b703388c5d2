"""The network: nothing passes but what is needed. Policies are evaluated as Kubernetes defines them."""

from typing import Any

import pytest

from .conftest import Rendered, render

SOURCES = [{"location": "s3://b/"}]
# (from, to, port) within a release: everything that must pass, and nothing else may.
ROLES = ("api", "retrieval", "ingest", "mcp", "worker")
FLOWS = {
    *((role, "postgres", 5432) for role in (*ROLES, "migrate", "sources")),
    *((role, "redis", 6379) for role in ROLES),
    ("test", "api", 8000),
    ("api", "ingest", 8000),
    ("api", "retrieval", 8000),
    ("mcp", "retrieval", 8000),
}
COMPONENTS = (*ROLES, "migrate", "sources", "test", "postgres", "redis")
SPLIT: dict[str, Any] = {role: {"enabled": True} for role in ("retrieval", "ingest", "mcp")}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        inside = labels.get(rule["key"]) in rule["values"]
        if inside != {"In": True, "NotIn": False}[rule["operator"]]:
            return False
    return True


def _rule_lets(rule: dict[str, Any], side: str, peer: dict[str, str] | None, port: int) -> bool:
    numbers = {8000 if item["port"] == "http" else item["port"] for item in rule.get("ports", [])}
    if numbers and port not in numbers:
        return False
    peers = rule.get(side)
    if peers is None:
        return True
    return peer is not None and any(
        "podSelector" in item and "namespaceSelector" not in item and selects(item["podSelector"], peer)
        for item in peers
    )


def lets(rendered: Rendered, direction: str, subject: dict[str, str], peer: dict[str, str] | None, port: int) -> bool:
    """Whether a pod with labels `subject` may talk in a direction to `peer` (None: somebody unknown)."""
    policies = [
        item["spec"] for item in rendered.of("NetworkPolicy")
        if direction in item["spec"]["policyTypes"] and selects(item["spec"]["podSelector"], subject)
    ]  # fmt: skip
    assert policies, "no policy selects this pod, so everything passes"
    side = "from" if direction == "Ingress" else "to"
    return any(_rule_lets(rule, side, peer, port) for policy in policies for rule in policy.get(direction.lower(), []))


def labels_of(rendered: Rendered) -> dict[str, dict[str, str]]:
    return {meta["labels"]["app.kubernetes.io/component"]: meta["labels"] for _, meta, _ in rendered.pods()}


def test_exactly_the_flows_that_are_needed_pass_within_a_release() -> None:
    rendered = render(
        redis={"enabled": True},
        sources=SOURCES,
        networkPolicy={"apiFrom": [{"podSelector": {"matchLabels": {"a": "b"}}}]},
        **SPLIT,
    )
    labels = labels_of(rendered)
    assert set(labels) == set(COMPONENTS)
    passing = {
        (one, two, port)
        for one in COMPONENTS
        for two in COMPONENTS
        for port in (8000, 5432, 6379)
        if one != two
        and lets(rendered, "Egress", labels[one], labels[two], port)
        and lets(rendered, "Ingress", labels[two], labels[one], port)
    }
    assert passing == FLOWS


def test_strangers_reach_the_api_alone_and_only_where_nobody_is_named() -> None:
    rendered = render(redis={"enabled": True})
    labels = labels_of(rendered)
    open_to_all = {
        name
        for name in labels
        if any(lets(rendered, "Ingress", labels[name], None, port) for port in (8000, 5432, 6379))
    }
    assert open_to_all == {"api"}
    split = render("microservices")
    reached = {name for name, found in labels_of(split).items() if lets(split, "Ingress", found, None, 8000)}
    assert reached == {"api", "ingest", "mcp"}, "what has a path of its own, and never retrieval"
    assert not lets(render(**SPLIT), "Ingress", labels_of(render(**SPLIT))["ingest"], None, 8000)
    closed = render(networkPolicy={"apiFrom": [{"podSelector": {"matchLabels": {"a": "b"}}}]})
    assert not lets(closed, "Ingress", labels_of(closed)["api"], None, 8000)


def test_another_release_is_a_stranger() -> None:
    one, two = render(release="one"), render(release="two")
    assert not lets(one, "Ingress", labels_of(one)["postgres"], labels_of(two)["api"], 5432)


def test_state_talks_to_nobody() -> None:
    rendered = render(redis={"enabled": True})
    labels = labels_of(rendered)
    for name in ("postgres", "redis"):
        assert not any(lets(rendered, "Egress", labels[name], None, port) for port in (53, 80, 443, 5432))


def test_only_api_workers_and_sources_reach_the_outside_and_never_a_clouds_credentials() -> None:
    rendered = render(sources=SOURCES)
    (outside,) = [
        item["spec"] for item in rendered.of("NetworkPolicy") if item["metadata"]["name"].endswith("-outside")
    ]
    (rule,) = outside["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    chosen = {name for name, labels in labels_of(rendered).items() if selects(outside["podSelector"], labels)}
    assert chosen == {"api", "worker", "sources"}


def test_an_ollama_is_reached_where_the_example_says() -> None:
    rendered = render("ollama-nodeport")
    (outside,) = [
        item["spec"] for item in rendered.of("NetworkPolicy") if item["metadata"]["name"].endswith("-outside")
    ]
    assert [rule["ports"][0]["port"] for rule in outside["egress"]] == [11434]


def test_external_databases_are_reached_at_their_addresses_only() -> None:
    rendered = render("managed-postgres")
    (policy,) = [
        item["spec"] for item in rendered.of("NetworkPolicy") if item["metadata"]["name"].endswith("-to-database")
    ]
    assert policy["egress"] == [
        {"ports": [{"protocol": "TCP", "port": 5432}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    ]


def test_the_operator_and_its_pods_reach_a_cnpg_cluster() -> None:
    rendered = render("production")
    (policy,) = [
        item["spec"]
        for item in rendered.of("NetworkPolicy")
        if item["metadata"]["name"].endswith("-database") and "Ingress" in item["spec"]["policyTypes"]
    ]
    assert policy["podSelector"] == {"matchLabels": {"cnpg.io/cluster": "anchorage-db"}}
    assert policy["policyTypes"] == ["Ingress"]
    keda = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
    assert keda in policy["ingress"][0]["from"]
    assert {item["port"] for item in policy["ingress"][1]["ports"]} == {5432, 8000}


def test_policies_can_be_left_to_others() -> None:
    assert not render(networkPolicy={"enabled": False}).of("NetworkPolicy")


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_services_of_other_types(kind: str) -> None:
    spec = render(api={"service": {"type": kind, "nodePort": 30800, "annotations": {"idle": "600"}}}).one(
        "Service", "anchorage"
    )["spec"]
    assert spec["type"] == kind and spec["ports"][0]["nodePort"] == 30800


def test_services_select_the_pods_they_are_for() -> None:
    rendered = render("production")
    labels = labels_of(rendered)
    for service in rendered.of("Service"):
        component = service["metadata"]["labels"]["app.kubernetes.io/component"]
        chosen = {
            name for name, found in labels.items() if selects({"matchLabels": service["spec"]["selector"]}, found)
        }
        assert chosen == {component}


def test_ingress_with_tls() -> None:
    found = render("production").one("Ingress")
    assert found["spec"]["ingressClassName"] == "traefik"
    assert found["spec"]["tls"] == [{"secretName": "anchorage-tls", "hosts": ["anchorage.example.com"]}]
    (path,) = found["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "anchorage", "port": {"name": "http"}}
    assert found["metadata"]["annotations"]["cert-manager.io/cluster-issuer"]


def test_each_role_has_its_path_and_nothing_is_stripped() -> None:
    rendered = render("microservices")
    paths = rendered.one("Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert [(item["path"], item["backend"]["service"]["name"]) for item in paths] == [
        ("/text-to-vec", "anchorage-ingest"), ("/agent/mcp", "anchorage-mcp"), ("/agent", "anchorage"),
    ]  # fmt: skip
    env = {name: rendered.env(name).get("ANCHORAGE_HTTP__ROOT_PATH") for name in ROLES}
    assert env == {"api": "/agent", "mcp": "/agent", "ingest": "/text-to-vec", "retrieval": None, "worker": None}
    gateway = {"enabled": True, "parentRefs": [{"name": "gw"}], "path": "/agent"}
    rules = render("microservices", ingress={"enabled": False}, httpRoute=gateway).one("HTTPRoute")["spec"]["rules"]
    to = {
        rule["matches"][0]["path"]["value"]: (rule["backendRefs"][0]["name"], rule["timeouts"]["request"])
        for rule in rules
    }
    assert to["/agent/mcp"] == ("anchorage-mcp", "0s") and to["/agent/api/chat"] == ("anchorage", "0s")
    assert to["/text-to-vec/api/documents"] == ("anchorage-ingest", "0s") and to["/text-to-vec"] == (
        "anchorage-ingest",
        "120s",
    )
    assert len(rules) <= 16, "a route takes no more"


def test_the_gateway_never_cuts_streams_and_strips_the_root_path() -> None:
    rendered = render(
        api={"rootPath": "/agent"},
        httpRoute={"enabled": True, "path": "/agent", "parentRefs": [{"name": "gw"}], "hostnames": ["h"]},
    )
    rules = rendered.one("HTTPRoute")["spec"]["rules"]
    by_path = {rule["matches"][0]["path"]["value"]: rule for rule in rules}
    for path in ("/api/chat", "/v1/chat/completions", "/api/jobs", "/mcp"):
        rule = by_path["/agent" + path]
        assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
        assert rule["filters"][0]["urlRewrite"]["path"]["replacePrefixMatch"] == path
    assert by_path["/agent"]["timeouts"]["request"] == "120s"
    assert by_path["/agent"]["filters"][0]["urlRewrite"]["path"]["replacePrefixMatch"] == "/"
    assert rendered.env("api")["ANCHORAGE_HTTP__ROOT_PATH"] == "/agent"
    plain = render(httpRoute={"enabled": True, "parentRefs": [{"name": "gw"}]}).one("HTTPRoute")["spec"]["rules"]
    assert plain[-1]["matches"][0]["path"]["value"] == "/" and "filters" not in plain[-1]
