"""Settings: names, precedence, errors, secrets."""

from pathlib import Path

import pytest

from anchorage.errors import ConfigurationError
from anchorage.settings import describe_settings, load_settings


def test_well_known_names_yield_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "9000")
    monkeypatch.setenv("LLM_MODEL", "")
    monkeypatch.setenv("OLLAMA_HOST", "gpu:11434")
    assert load_settings().http.port == 9000
    assert load_settings().llm.model is None
    monkeypatch.setenv("ANCHORAGE_HTTP__PORT", "9001")
    assert load_settings().http.port == 9001
    assert load_settings(http={"port": 9002}).http.port == 9002
    assert load_settings().llm.ollama_host == "gpu:11434"


def test_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANCHORAGE_DATA", str(tmp_path))
    assert load_settings().data.dir == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [("ANCHORAGE_HTTP__PORT", "eight"), ("APP_PORT", "70000"), ("ANCHORAGE_HTTP__PROT", "1"), ("ANCHORAGE_NOSUCH__X", "1"),
     ("LOG_LEVEL", "LOUD")],
)  # fmt: skip
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert name in raised.value.message or name.removeprefix("ANCHORAGE_").split("__")[0] in raised.value.message


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("VECTOR_DB_URL", "postgresql://u:pass@h/d")
    settings = load_settings()
    shown = {row["name"]: row for row in describe_settings(settings)}
    assert "very-secret" not in str(shown) and "pass@" not in str(shown) and "very-secret" not in repr(settings)
    assert shown["ANCHORAGE_LLM__API_KEY"]["origin"] == "OPENAI_API_KEY"
    monkeypatch.setenv("ANCHORAGE_LLM__TEMPERATURE", "hot sk-very-secret")
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert "sk-very-secret" not in raised.value.message


def test_a_password_with_a_slash_is_masked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:pa/ss@word@host/v1")
    shown = {row["name"]: row for row in describe_settings(load_settings())}
    assert shown["ANCHORAGE_LLM__BASE_URL"]["value"] == "http://********@host/v1"


def test_the_command_line_is_named_as_origin_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCHORAGE_DATA", "/somewhere")
    shown = {row["name"]: row for row in describe_settings(load_settings(data={"dir": "/else"}))}
    assert (shown["ANCHORAGE_DATA__DIR"]["value"], shown["ANCHORAGE_DATA__DIR"]["origin"]) == ("/else", "command line")


def test_names_of_s3_come_from_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-aws")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-aws")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-aws")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "second")
    monkeypatch.setenv("AWS_REGION", "first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://special")
    aws = load_settings()
    assert (aws.s3.region, aws.s3.endpoint) == ("first", "http://special")
    assert "of-aws" not in str(describe_settings(aws)) and "of-aws" not in repr(aws)
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_ACCESS_KEY", "of-linode")
    monkeypatch.setenv("LINODE_OBJECT_STORAGE_ENDPOINT", "eu.linodeobjects.com")
    linode = load_settings().s3
    assert linode.access_key and linode.access_key.get_secret_value() == "of-linode"
    assert linode.secret_key is linode.session_token is linode.region is None
    assert linode.endpoint == "eu.linodeobjects.com"
    monkeypatch.setenv("ANCHORAGE_S3__ENDPOINT", "http://ours")
    assert load_settings().s3.endpoint == "http://ours"


def test_originals_go_to_s3_or_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCHORAGE_BLOBS__URL", "gs://bucket")
    with pytest.raises(ConfigurationError, match="BLOBS__URL"):
        load_settings()


def test_passwords_are_json_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCHORAGE_INGEST__PASSWORDS", '{"reports": "open-sesame"}')
    settings = load_settings()
    assert settings.ingest.passwords["reports"].get_secret_value() == "open-sesame"
    assert "open-sesame" not in str(describe_settings(settings)) + repr(settings)
    monkeypatch.setenv("ANCHORAGE_INGEST__PASSWORDS", "open-sesame")
    with pytest.raises(ConfigurationError, match="JSON object") as raised:
        load_settings()
    assert "open-sesame" not in raised.value.message


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANCHORAGE_GUARD__QESTION_PII", "block")
    with pytest.raises(ConfigurationError, match="no such setting; did you mean ANCHORAGE_GUARD__QUESTION_PII"):
        load_settings()
