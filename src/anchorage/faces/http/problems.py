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
"""What machines ask all the time, by the address of the process."""
_CLIENT_LEFT = 499  # nginx's number for it; nobody receives it, but logs and metrics tell it from our own failures
_RETRY_AFTER = "5"
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def problem(status: int, code: str, detail: str, request_id: str | None, **extra: Any) -> JSONResponse:
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
    return JSONResponse(body, status, _headers(status), MEDIA_TYPE)


def openai_error(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The body of an error as OpenAI's API gives it."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def route_path(scope: Scope) -> str:
    """The path without the prefix of an ingress."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def refusal(
    scope: Scope, status: int, code: str, detail: str, *, param: str | None = None, **extra: Any
) -> JSONResponse:
    """The response for an error, in the shape of the API that was asked."""
    if route_path(scope).startswith(f"{OPENAI_PREFIX}/"):
        return JSONResponse(openai_error(status, code, detail, param), status, _headers(status))
    return problem(status, code, detail, scope.get("state", {}).get("request_id"), **extra)


def _headers(status: int) -> Mapping[str, str]:
    return {"Retry-After": _RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def install(app: FastAPI) -> None:
    """Turn every error that a handler raises into a response."""
    app.add_exception_handler(AnchorageError, respond_to_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, respond_to_client_gone)
    app.add_exception_handler(Exception, _unexpected)


async def respond_to_error(request: Request, error: Exception) -> JSONResponse:
    """The response for one of our errors."""
    assert isinstance(error, AnchorageError)
    if error.status >= 500:
        _log.error("request_failed", code=error.code, reason=error.message, path=request.url.path)
    extra = {"rule": error.rule} if isinstance(error, Blocked) else {}
    param = getattr(error, "param", None)
    response = refusal(request.scope, error.status, error.code, error.message, param=param, **extra)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


async def _invalid(request: Request, error: Exception) -> JSONResponse:
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
    told = "; ".join(f"{item['field']}: {item['reason']}" for item in found)
    detail = f"The request cannot be taken: {told}. See /docs for its form."
    status = 400 if route_path(request.scope).startswith(f"{OPENAI_PREFIX}/") else 422  # each as its clients expect it
    return refusal(request.scope, status, "invalid_request", detail, param=found[0]["field"], errors=found)


async def _http(request: Request, error: Exception) -> JSONResponse:
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
    response = refusal(request.scope, error.status_code, code, detail)
    response.headers.update(error.headers or {})
    return response


async def respond_to_client_gone(request: Request, error: Exception) -> Response:
    """For logs and metrics; nobody receives it."""
    return Response(status_code=_CLIENT_LEFT)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it once more for the server to log; its text may hold what is nobody's business.
    detail = "Something unexpected failed; the server's log has the details under this request id."
    return refusal(request.scope, 500, "internal", detail)
