"""Errors as RFC 9457 problem documents, with a stable type, a detail that says what to do, and the request's id."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from anchorage.errors import AnchorageError, Blocked

_log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


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
    headers = {"Retry-After": "5"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def request_id(request: Request) -> str | None:
    """The id that the middleware gave the request."""
    return getattr(request.state, "request_id", None)


def install(app: FastAPI) -> None:
    """Turn every error that a handler raises into a problem document."""
    app.add_exception_handler(AnchorageError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnchorageError)
    if error.status >= 500:
        _log.error("request_failed", code=error.code, reason=error.message, path=request.url.path)
    extra = {"rule": error.rule} if isinstance(error, Blocked) else {}
    return problem(error.status, error.code, error.message, request_id(request), **extra)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        {"field": ".".join(str(part) for part in item["loc"] if part != "body") or "body", "reason": item["msg"]}
        for item in error.errors()
    ]
    told = "; ".join(f"{item['field']}: {item['reason']}" for item in found)
    detail = f"The request cannot be taken: {told}. See /docs for its form."
    return problem(422, "invalid_request", detail, request_id(request), errors=found)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "http_error")
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"There is nothing at {request.url.path}. See /docs for what there is."
    response = problem(error.status_code, code, detail, request_id(request))
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it once more for the server to log; its text may hold what is nobody's business.
    detail = "Something unexpected failed; the server's log has the details under this request id."
    return problem(500, "internal", detail, request_id(request))
