"""Errors as RFC 9457 problem documents, with a stable type, a detail that says what to do, and the request's id.

Under /v1 they have the shape of OpenAI's API instead, which its clients understand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from anchorage.errors import AnchorageError, Blocked, Unavailable

_log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
OPENAI_PREFIX = "/v1"
PROBES = {"/livez", "/readyz", "/startupz", "/health", "/api/health", "/metrics"}
"""Paths that machines ask all the time, at the address of the process."""
_CLIENT_LEFT = 499  # as nginx has it; nobody receives it, but logs and metrics tell it from our own failures
_RETRY_AFTER = "5"
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def make_problem(status: int, code: str, detail: str, request_id: str | None, **extra: Any) -> JSONResponse:
    """The response for an error."""
    body = {
        "type": f"urn:anchorage:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **extra,
    }
    return JSONResponse(body, status, _make_headers(status), MEDIA_TYPE)


def make_openai_error(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The body of an error as OpenAI's API gives it."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def strip_root_path(scope: Scope) -> str:
    """The path without the prefix of an ingress."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def make_refusal(
    scope: Scope, status: int, code: str, detail: str, *, param: str | None = None, **extra: Any
) -> JSONResponse:
    """The response for an error, in the shape of the API that was asked."""
    if strip_root_path(scope).startswith(f"{OPENAI_PREFIX}/"):
        return JSONResponse(make_openai_error(status, code, detail, param), status, _make_headers(status))
    return make_problem(status, code, detail, scope.get("state", {}).get("request_id"), **extra)


def _make_headers(status: int) -> Mapping[str, str]:
    return {"Retry-After": _RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def install(app: FastAPI) -> None:
    """Turn every error that a handler raises into a response."""
    app.add_exception_handler(AnchorageError, respond_to_error)
    app.add_exception_handler(RequestValidationError, _respond_to_invalid)
    app.add_exception_handler(HTTPException, respond_to_http_error)
    app.add_exception_handler(ClientDisconnect, respond_to_client_gone)
    app.add_exception_handler(Exception, _respond_to_crash)


async def respond_to_error(request: Request, error: Exception) -> JSONResponse:
    """The response for one of our errors."""
    assert isinstance(error, AnchorageError)
    if error.status >= 500:
        _log.error("request_failed", code=error.code, reason=error.message, path=request.url.path)
    extra = {"rule": error.rule} if isinstance(error, Blocked) else {}
    param = getattr(error, "param", None)
    response = make_refusal(request.scope, error.status, error.code, error.message, param=param, **extra)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


async def _respond_to_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        {"field": ".".join(str(part) for part in item["loc"] if part != "body") or "body", "reason": item["msg"]}
        for item in error.errors()
    ]
    if request.headers.get("content-type", "").partition(";")[0].strip() not in ("application/json", "") and any(
        item["field"] == "body" for item in found
    ):
        found = [{"field": "body", "reason": "send the header `content-type: application/json` with a JSON body"}]
    elif any(item["type"] == "json_invalid" for item in error.errors()):
        found = [{"field": "body", "reason": f"it is not JSON (near character {found[0]['field']})"}]
    reasons = "; ".join(f"{item['field']}: {item['reason']}" for item in found)
    detail = f"The request cannot be taken: {reasons}. See /docs for its form."
    status = (
        400 if strip_root_path(request.scope).startswith(f"{OPENAI_PREFIX}/") else 422
    )  # as the clients of each API expect
    return make_refusal(request.scope, status, "invalid_request", detail, param=found[0]["field"], errors=found)


async def respond_to_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "http_error")
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"There is nothing at {request.url.path}. See /docs for what there is."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"{request.method} cannot be used here: {request.url.path} takes {allowed}. See /docs."
    if error.status_code == 400 and detail == "There was an error parsing the body":
        code, detail = (
            "invalid_request",
            "The body is not JSON in UTF-8 of a sane depth. Send a JSON object; see /docs for its form.",
        )
    response = make_refusal(request.scope, error.status_code, code, detail)
    response.headers.update(error.headers or {})
    return response


async def respond_to_client_gone(request: Request, error: Exception) -> Response:
    """The response for logs and metrics when the client has left. Nobody receives it."""
    return Response(status_code=_CLIENT_LEFT)


async def _respond_to_crash(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises the error again, and the server logs it. Its text may be confidential, so it is not sent.
    detail = "Something unexpected failed; the server's log has the details under this request id."
    return make_refusal(request.scope, 500, "internal", detail)
