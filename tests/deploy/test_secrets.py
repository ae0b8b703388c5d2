"""Secrets: mapped, never rendered from values, generated and kept."""

import base64
from typing import Any

from .conftest import EXAMPLES, render


def test_any_key_of_an_existing_secret_can_be_mapped() -> None:
    rendered = render(
        secrets={"env": {"OPENAI_API_KEY": {"secret": "openai-token", "key": "token"}}, "envFrom": ["more"]}
    )
    for component in ("api", "worker"):
        assert rendered.env(component)["OPENAI_API_KEY"] == ("openai-token", "token")
        assert {"secretRef": {"name": "more"}} in rendered.pod(component)["containers"][0]["envFrom"]


def test_no_secret_is_rendered_but_generated_passwords() -> None:
    for example in ("", *EXAMPLES):
        names = {item["metadata"]["name"] for item in render(example, redis={"enabled": True}).of("Secret")}
        assert names <= {"anchorage-postgres", "anchorage-redis", "anchorage-roles"}
    secret = render().one("Secret")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert len(base64.b64decode(secret["data"]["password"])) == 40


def test_a_password_is_generated_anew_for_each_install() -> None:
    one, two = (render(release=name).one("Secret")["data"]["password"] for name in ("first", "second"))
    assert one != two


def test_with_a_secret_of_ones_own_none_is_made() -> None:
    rendered = render(postgres={"auth": {"existingSecret": "mine"}})
    assert not rendered.of("Secret")
    assert rendered.env("api")["PGPASSWORD"] == ("mine", "password")
    assert rendered.env("postgres")["POSTGRES_PASSWORD"] == ("mine", "password")


def test_no_connection_string_holds_a_password() -> None:
    env = render(redis={"enabled": True}).env("api")
    assert env["VECTOR_DB_URL"] == env["STATE_DB_URL"] == "postgresql://anchorage@anchorage-postgres:5432/anchorage"
    assert env["REDIS_URL"] == "redis://:$(REDIS_PASSWORD)@anchorage-redis:6379/0"
    assert list(env).index("REDIS_PASSWORD") < list(env).index("REDIS_URL"), "Kubernetes expands only what came before"


def _reads(rendered: Any, name: str) -> bool:
    return all(
        {"secretRef": {"name": name}} in rendered.pod(component)["containers"][0]["envFrom"]
        for component in ("api", "worker", "migrate")
    )


def test_external_secrets() -> None:
    values: dict[str, Any] = {
        "enabled": True, "store": {"name": "vault"}, "data": {"OPENAI_API_KEY": {"key": "prod", "property": "openai"}},
    }  # fmt: skip
    rendered = render(secrets={"external": values})
    found = rendered.one("ExternalSecret")
    assert found["apiVersion"] == "external-secrets.io/v1"
    assert found["spec"]["secretStoreRef"] == {"name": "vault", "kind": "ClusterSecretStore"}
    assert found["spec"]["data"] == [
        {"secretKey": "OPENAI_API_KEY", "remoteRef": {"key": "prod", "property": "openai"}}
    ]
    assert _reads(rendered, found["spec"]["target"]["name"])


def test_sealed_secrets() -> None:
    rendered = render(secrets={"sealed": {"enabled": True, "encryptedData": {"OPENAI_API_KEY": "AgB"}}})
    found = rendered.one("SealedSecret")
    assert found["spec"]["encryptedData"] == {"OPENAI_API_KEY": "AgB"}
    assert found["spec"]["template"]["metadata"]["name"] == found["metadata"]["name"]
    assert _reads(rendered, found["metadata"]["name"])


def test_urls_of_external_databases_may_come_from_any_of_them() -> None:
    urls = {name: {"key": "k"} for name in ("VECTOR_DB_URL", "STATE_DB_URL")}
    assert render(
        database={"kind": "external"}, secrets={"external": {"enabled": True, "store": {"name": "s"}, "data": urls}}
    )
    assert render(database={"kind": "external"}, secrets={"envFrom": ["databases"]})
