"""What all adapters of model servers share: the HTTP client, the retry policy, and the meaning of errors."""

from __future__ import annotations

import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import certifi
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)

from anchorage.adapters.models.endpoint import Endpoint
from anchorage.errors import AnchorageError, ModelError, ModelUnavailable
from anchorage.fastjson import dumps, loads
from anchorage.model import Usage

ERROR_BODY_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer, streamed or whole; hundreds of times the largest that is any use."""
RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter. A server that asks for a longer wait than `longest_wait` is not asked again."""

    retries: int = 2
    first_backoff: float = 0.5
    longest_backoff: float = 8.0
    longest_wait: float = 20.0

    def compute_backoff(self, attempt: int, asked: float | None = None) -> float | None:
        """Seconds to wait after the failed attempt (0 is the first); None: no further attempt."""
        if attempt >= self.retries:
            return None
        if asked is not None:
            # Asking again too early is refused again. So where the server asks for too long a wait, the caller gets the error.
            if asked > self.longest_wait:
                return None
            if asked > 0:
                return asked
        return random.uniform(0.5, 1.0) * min(self.longest_backoff, self.first_backoff * 2.0**attempt)


class CallFailed(Exception):
    """One attempt failed. Never leaves the adapters. `error` is what the caller gets when there is no further attempt."""

    def __init__(
        self,
        error: AnchorageError,
        *,
        retry: bool = False,
        wait: float | None = None,
        status: int | None = None,
        text: str = "",
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry = retry
        self.wait = wait
        self.status = status
        self.text = text


def open_model_client(
    connect_timeout: float = 5.0, *, max_connections: int = 100, decompress: bool = True
) -> ClientSession:
    """The one pooled client that all model servers share; close it (`async with`) when the process ends.

    Reading has no timeout here: each call sets its own, since the first token and the next ones differ. `connect_timeout`
    (seconds) bounds the wait for a free connection and the making of a new one. `decompress` says whether compressed bodies are decoded.
    """
    authorities = (
        ssl.create_default_context()
    )  # the system's, or those that SSL_CERT_FILE and SSL_CERT_DIR name, and only those
    paths = ssl.get_default_verify_paths()
    if paths.cafile in (None, paths.openssl_cafile) and paths.capath in (None, paths.openssl_capath):
        authorities.load_verify_locations(certifi.where())  # slim images have none of the system's
    return ClientSession(
        connector=TCPConnector(limit=max_connections, keepalive_timeout=30.0, ssl=authorities),
        timeout=ClientTimeout(total=None, connect=connect_timeout, ceil_threshold=60.0),
        headers={"User-Agent": "anchorage"},
        auto_decompress=decompress,
        cookie_jar=DummyCookieJar(),
    )


def encode_body(payload: Mapping[str, Any]) -> bytes:
    """The JSON body of a request. A lone surrogate in a document does not fail here."""
    return dumps(payload)


def parse_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait, from `retry-after-ms` or `Retry-After` (seconds or a date)."""
    value = headers.get("retry-after-ms")
    try:
        if value is not None:
            return max(0.0, float(value) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        when = parsedate_to_datetime(value)
    except ValueError:
        return None  # a header that nobody can read is no header
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def extract_message(body: bytes) -> str:
    """The human part of an error body, in the shapes of OpenAI, Ollama, FastAPI and vLLM; empty if there is none."""
    try:
        parsed = loads(body)
    except ValueError:
        return ""
    found: Any = parsed
    for _ in range(3):
        if isinstance(found, dict):
            found = next((found[key] for key in ("error", "message", "detail", "msg") if found.get(key)), None)
        elif isinstance(found, list) and found and isinstance(found[0], dict):
            place = ".".join(str(part) for part in found[0].get("loc", ()))
            found = f"{place}: {found[0].get('msg', '')}".strip(": ")
    return " ".join(found.split())[:400] if isinstance(found, str) else ""


def make_transport_error(endpoint: Endpoint, error: Exception, *, started: bool = False) -> CallFailed:
    """The error for an answer that did not come or, with `started`, broke off."""
    where = f"model server at {endpoint.shown}"
    if started:
        return make_cut_off_error(endpoint)
    if isinstance(error, ClientProxyConnectionError | ClientHttpProxyError):
        message = f"The proxy on the way to the {where} cannot be used. Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    elif isinstance(error, ClientConnectorError):
        cause = endpoint.mask_key(error.strerror or str(error.os_error))
        message = (
            f"The {where} cannot be reached{f' ({cause})' if cause else ''}. Check that it runs and that "
            f"{endpoint.url_setting} is right."
        )
    elif isinstance(error, ConnectionTimeoutError):
        message = (
            f"The {where} had no free connection in time. Check that it runs and that {endpoint.url_setting} is right; if it is "
            "only busy, run more replicas of it or raise ANCHORAGE_LLM__CONNECTIONS."
        )
    else:
        message = f"The {where} dropped the connection before it answered. Try again; if it stays, look at its log."
    return CallFailed(ModelUnavailable(message), retry=True)


def make_cut_off_error(endpoint: Endpoint) -> CallFailed:
    """The error for an answer that ended in the middle."""
    return CallFailed(
        ModelUnavailable(
            f"The answer of the model server at {endpoint.shown} was cut off before its end. Ask again; if it stays, "
            "look at the server's log and at the timeouts of the proxies in between."
        ),
        retry=True,
    )


def make_timeout_error(endpoint: Endpoint, seconds: float, what: str, setting: str) -> CallFailed:
    """The error for a server that is too slow. There is no retry: an overloaded server does not get faster by it."""
    return CallFailed(
        ModelUnavailable(
            f"The model server at {endpoint.shown} sent no {what} within {seconds:g} s. Try again, take a smaller "
            f"model, or raise {setting}."
        )
    )


def make_format_error(endpoint: Endpoint, body: bytes) -> CallFailed:
    """The error for a successful answer that does not have the format of this API."""
    if body.lstrip()[:1] == b"<":
        what = "answered with a web page instead of JSON"
    else:
        what = "answered with something that is not what its API promises"
    return CallFailed(
        ModelError(
            f"The model server at {endpoint.shown} {what}. Check {endpoint.url_setting}: it must be the address of an "
            "OpenAI-compatible API, which usually ends in /v1."
        )
    )


def make_status_error(
    endpoint: Endpoint, model: str, path: str, status: int, headers: Mapping[str, str], body: bytes
) -> CallFailed:
    """The error for an HTTP status other than 200: what it means, and what to do."""
    said = endpoint.mask_key(extract_message(body))
    wait = parse_retry_after(headers)
    error: AnchorageError
    if status == 429 and b"insufficient_quota" not in body:
        when = f" in {wait:.0f} s" if wait is not None else " later"
        advice = f"asks to slow down (HTTP 429). Try again{when}, or raise the account's rate limit."
        error = ModelUnavailable(_format_message(endpoint, advice, said), wait)
    elif status >= 500 or (status in RETRIED_STATUSES and status != 429):
        advice = f"failed with HTTP {status}. Try again; if it stays, look at the server's log or status page."
        error = ModelUnavailable(_format_message(endpoint, advice, said), wait)
    else:
        error = ModelError(_explain_refusal(endpoint, model, path, status, said))
    retry = status in RETRIED_STATUSES and isinstance(error, ModelUnavailable)
    return CallFailed(error, retry=retry, wait=wait, status=status, text=said)


def _explain_refusal(endpoint: Endpoint, model: str, path: str, status: int, said: str) -> str:
    """The message for a status that no retry can change."""
    if status in (401, 403):
        has = "did not accept the key" if endpoint.api_key else "wants a key"
        advice = f"{has} (HTTP {status}). Check {endpoint.key_setting}, and that the key may use the model {model!r}."
        said = ""  # OpenAI quotes the beginning and the end of the key
    elif status == 404 and said and said.lower() != "not found":
        advice = (
            f"has no model {model!r}. Set {endpoint.model_setting} to one that it serves, or add the model there "
            f"(with Ollama: `ollama pull {model}`)."
        )
        if not endpoint.base_url.endswith("/v1"):
            advice += f" Or the address is wrong: it usually ends in /v1 ({endpoint.url_setting})."
    elif status in (404, 405):
        advice = (
            f"has nothing at /{path} (HTTP {status}). Check {endpoint.url_setting}, since the address of an "
            f"OpenAI-compatible API usually ends in /v1, and {endpoint.model_setting}, which is {model!r}."
        )
    elif 300 <= status < 400:
        advice = f"redirects elsewhere (HTTP {status}). Set {endpoint.url_setting} to the address that it redirects to."
    elif status == 429:
        advice = (
            "says that the account is out of credit (HTTP 429). Top it up, or set "
            f"{endpoint.key_setting} to the key of another account."
        )
    else:
        advice = f"refused the request for the model {model!r} (HTTP {status})."
        advice += "" if said else " Look at its log for the reason."
    return _format_message(endpoint, advice, said)


def _format_message(endpoint: Endpoint, advice: str, said: str) -> str:
    return f"The model server at {endpoint.shown} {advice}{f' It says: {said}' if said else ''}"


def parse_usage(model: str, counts: Any) -> Usage:
    """The `usage` of an answer; zeros where the server does not count."""
    if not isinstance(counts, dict):
        return Usage(model)
    values = [counts.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (value if isinstance(value, int) and value >= 0 else 0 for value in values)
    return Usage(model, prompt, completion)


def make_length_error(endpoint: Endpoint) -> CallFailed:
    """The error for an answer of more than `BODY_LIMIT` bytes."""
    return CallFailed(
        ModelError(
            f"The model server at {endpoint.shown} sent more than {BODY_LIMIT >> 20} MiB in one answer, and was cut off. "
            f"Check {endpoint.url_setting}: it must be the address of an OpenAI-compatible API; and look at the server's log."
        )
    )


async def read_body(response: ClientResponse, endpoint: Endpoint) -> bytes:
    """Read the whole body. Raises `CallFailed` for more than `BODY_LIMIT` bytes."""
    pieces: list[bytes] = []
    size = 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > BODY_LIMIT:
            response.close()
            raise make_length_error(endpoint)
        pieces.append(piece)
    return b"".join(pieces)


async def read_body_start(response: ClientResponse, limit: int = ERROR_BODY_LIMIT) -> bytes:
    """Read the first `limit` bytes of a body."""
    body = b""
    while len(body) < limit and (piece := await response.content.readany()):
        body += piece
    return body[:limit]


async def ping_server(client: ClientSession, endpoint: Endpoint, timeout: float, *, below_v1: bool = True) -> str:
    """The server's state in a word, at no cost. `wrong_address`: its API is below `/v1`, and the address lacks that part.

    OpenAI itself is not asked: it bills and limits rates, and a health probe must not depend on that. There, only the presence
    of a key is checked. Any other server is asked for its list of models, which is free everywhere.
    """
    if endpoint.is_openai:
        return "available" if endpoint.api_key else "not_configured"

    async def list_models(path: str) -> tuple[int, bool]:
        """The status, and whether the body is JSON and not a web page."""
        async with client.get(
            endpoint.url(path), headers=endpoint.headers, timeout=ClientTimeout(timeout), allow_redirects=False,
            proxy=endpoint.proxy,
        ) as response:  # fmt: skip
            status = response.status
            return status, status < 300 and (await read_body_start(response)).lstrip()[:1] in (b"{", b"[")

    try:
        status, lists = await list_models("models")
        if status in (401, 403):
            return "unauthorized"
        if lists or status == 429:
            return "available"
        if below_v1 and not endpoint.base_url.endswith("/v1") and (await list_models("v1/models"))[1]:
            return "wrong_address"
    except (ClientError, TimeoutError):
        return "unreachable"
    # 404 and 405: a server that answers but does not list its models.
    return "available" if status in (404, 405) else "failing"
