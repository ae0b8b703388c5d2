"""Which requests are taken for those of a stranger's page."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from anchorage.errors import DatabaseUnavailable
from anchorage.faces.cli.doctor import _host_names
from anchorage.faces.http.browser import BrowserSafety, describe_rebinding_risk
from anchorage.faces.http.server import serve
from anchorage.settings import load_settings


async def status(headers: dict[str, str], *, method: str = "POST", path: str = "/api/chat", **settings: str) -> int:
    """What becomes of a request: 204 when it is let through."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1", "allowed_hosts": "", "cors_origins": "", **settings}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs, "state": {}}
    await BrowserSafety(app, **given)(scope, None, send)  # type: ignore[arg-type]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("host", "settings", "expected"),
    [
        ("127.0.0.1:8000", {}, 204), ("localhost:8000", {}, 204), ("[::1]:8000", {}, 204), ("app.localhost", {}, 204),
        ("192.168.1.7:8000", {}, 204), ("evil.example:8000", {}, 421), ("127.0.0.1.evil.example", {}, 421),
        ("localhost.evil.example", {}, 421), ("[::1", {}, 421), ("", {}, 421),
        ("rag.example.org", {"host": "0.0.0.0"}, 204), ("anything", {"host": "::"}, 204),
        ("rag.example.org", {"allowed_hosts": "rag.example.org"}, 204), ("RAG.example.org:443", {"allowed_hosts": "rag.example.org"}, 204),
        ("rag.example.org:1", {"allowed_hosts": "rag.example.org:2"}, 421), ("a.example.org", {"allowed_hosts": "x, *.example.org"}, 204),
        ("evilexample.org", {"allowed_hosts": "*.example.org"}, 421), ("evil", {"allowed_hosts": "*"}, 204),
        ("evil", {"host": "0.0.0.0", "allowed_hosts": "rag.example.org"}, 421),
    ],
)  # fmt: skip
async def test_host_names(host: str, settings: dict[str, str], expected: int) -> None:
    for method in ("GET", "POST"):
        assert await status({"host": host}, method=method, **settings) == expected


async def test_probes_come_by_any_name() -> None:
    assert await status({"host": "pod-7"}, method="GET", path="/readyz") == 204
    assert await status({}) == 204  # HTTP/1.0: no browser


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 204), ({"origin": "http://localhost:8000"}, 204), ({"origin": "https://localhost:8000"}, 204),
        ({"origin": "http://evil.example"}, 403), ({"origin": "null"}, 403), ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "https://ui.example.org"}, 204), ({"origin": "https://ui.example.org.evil.example"}, 403),
        ({"sec-fetch-site": "same-origin"}, 204), ({"sec-fetch-site": "none"}, 204), ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403), ({"origin": "http://rag.example", "sec-fetch-site": "same-origin"}, 204),
        ({"origin": "https://ui.example.org", "sec-fetch-site": "cross-site"}, 204),
    ],
)  # fmt: skip
async def test_origins(headers: dict[str, str], expected: int) -> None:
    settings = {"cors_origins": "https://ui.example.org, https://other.example"}
    for method in ("POST", "DELETE", "PUT"):
        assert await status({"host": "localhost:8000", **headers}, method=method, **settings) == expected
    for method in ("GET", "HEAD", "OPTIONS"):
        assert await status({"host": "localhost:8000", **headers}, method=method, **settings) == 204
    assert await status({"host": "localhost:8000", **headers}, cors_origins="*") in (204, expected)


async def test_every_origin_may_be_allowed() -> None:
    assert await status({"host": "localhost", "origin": "http://evil.example"}, cors_origins="*") == 204


@pytest.mark.parametrize(
    ("host", "allowed", "risk"),
    [
        ("127.0.0.1", "", False), ("::1", "", False), ("localhost", "", False), ("0.0.0.0", "", True), ("::", "", True),
        ("192.168.1.5", " , ", True), ("0.0.0.0", "docs.example.org", False), ("0.0.0.0", "*", False),
    ],
)  # fmt: skip
async def test_who_answers_any_name_is_told_what_to_set(host: str, allowed: str, risk: bool) -> None:
    told = describe_rebinding_risk(host, allowed)
    assert (told is not None) is risk
    if told:
        assert host in told and "ANCHORAGE_HTTP__ALLOWED_HOSTS" in told
        assert await status({"host": "evil.example"}, host=host, allowed_hosts=allowed) == 204, "it is a risk"


async def test_the_log_and_the_doctor_tell_of_it(tmp_path: Path) -> None:
    away = "postgresql://127.0.0.1:9/x"
    database = {"vector_url": away, "state_url": away, "connect_timeout": 0.1}
    for host, told in (("0.0.0.0", True), ("127.0.0.1", False)):
        settings = load_settings(data={"dir": tmp_path}, database=database, http={"host": host, "port": 0})
        with capture_logs() as logs, pytest.raises(DatabaseUnavailable):
            await serve(settings)
        warned = [log for log in logs if log["event"] == "answers_any_host_name"]
        assert len(warned) == told and all("ALLOWED_HOSTS" in log["reason"] for log in warned)
        check = _host_names(settings)
        assert check.status == ("warning" if told else "ok") and ("ALLOWED_HOSTS" in check.detail) is told
