"""Direct routes for the requests of a turn, without the layers of the generic path, which cost a tenth of a turn.

Only plain requests go this way: a JSON object that the route's model accepts. All others go the generic path with the same bytes, and get
their errors there. The endpoints are the same functions.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anchorage.errors import AnchorageError
from anchorage.faces.http.problems import (
    respond_to_client_gone,
    respond_to_error,
    respond_to_http_error,
    strip_root_path,
)
from anchorage.faces.http.state import ProcessState
from anchorage.model import Principal
from anchorage.wiring.services import Services

Answer = Callable[[Any, Request, Services, Principal], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """The model of a POST's body, and its endpoint; `route` is the generic route, by which metrics name it."""

    model: type[BaseModel]
    answer: Answer
    route: APIRoute


class DirectRoutes:
    """Answers plain requests at these paths, and passes the others on."""

    def __init__(self, app: ASGIApp, state: ProcessState, routes: Mapping[str, DirectRoute]) -> None:
        self._app, self._state, self._routes = app, state, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = (
            self._routes.get(strip_root_path(scope)) if scope["type"] == "http" and scope["method"] == "POST" else None
        )
        services = self._state.services
        if route is None or services is None or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            content = await request.body()
        except ClientDisconnect as error:
            await (await respond_to_client_gone(request, error))(scope, receive, send)
            return
        body = _parse_body(route.model, content)
        if body is None:
            await self._app(scope, _replay_body(content, receive), send)
            return
        scope["route"] = route.route
        response = await _run_endpoint(route, body, request, services)
        await response(scope, receive, send)


async def _run_endpoint(route: DirectRoute, body: BaseModel, request: Request, services: Services) -> Response:
    try:
        principal = await services.principals(request.headers)
        return await route.answer(body, request, services, principal)
    except AnchorageError as error:
        return await respond_to_error(request, error)
    except HTTPException as error:
        return await respond_to_http_error(request, error)
    except ClientDisconnect as error:
        return await respond_to_client_gone(request, error)


def _is_json(scope: Scope) -> bool:
    """Whether the content type is plainly `application/json`. Of several the first counts, as on the generic path."""
    found = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(found.partition(b";")[0].strip().lower() == b"application/json")


def _parse_body(model: type[BaseModel], content: bytes) -> BaseModel | None:
    """Parse the body into its model; None where it does not fit, and the generic path answers with the error."""
    try:
        return model.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError):
        return None


def _replay_body(content: bytes, receive: Receive) -> Receive:
    """A `receive` that begins with the body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
