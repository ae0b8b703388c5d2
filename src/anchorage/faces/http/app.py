"""The ASGI application."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from anchorage.faces.http import (
    chat,
    classic,
    conversations,
    documents,
    feedback,
    forward,
    instance,
    jobs,
    openai,
    page,
    probes,
    problems,
    retrieval,
    sources,
    system,
    usage,
)
from anchorage.faces.http.browser import BrowserSafety, split_entries
from anchorage.faces.http.direct import DirectRoute, DirectRoutes
from anchorage.faces.http.mcp import McpEndpoint
from anchorage.faces.http.middleware import BodyLimit, RequestContext, RootPath
from anchorage.faces.http.openai_shapes import CompletionRequest
from anchorage.faces.http.state import ProcessState
from anchorage.model import Principal
from anchorage.ports.roles import TOKEN_HEADER
from anchorage.settings.roles import RoleSettings
from anchorage.settings.sections import HttpSettings
from anchorage.wiring.services import Services

_CHAT = (chat, conversations, feedback, usage, system, openai, classic, instance)
_INGEST = (documents, jobs, sources)


def create_probes(state: ProcessState) -> FastAPI:
    """The application of a process without an API: only probes and metrics."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.process = state
    app.include_router(probes.router)
    problems.install(app)
    return app


def create_retrieval(settings: HttpSettings, state: ProcessState) -> FastAPI:
    """The retrieval role: what other roles ask of it, and probes. No browser comes here."""
    app = create_probes(state)
    app.include_router(retrieval.router)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, upload_path="", upload_limit=0)
    app.add_middleware(RequestContext, state=state)
    return app


def create_app(
    settings: HttpSettings, state: ProcessState, *, mcp: bool = True, roles: RoleSettings | None = None
) -> FastAPI:
    """The application over `state`, whose services may still be starting: probes answer from the first moment."""
    roles = roles or RoleSettings()
    if roles.only == "retrieval":
        return create_retrieval(settings, state)
    app = FastAPIOffline(
        title="Anchorage",
        version=version("anchorage"),
        description="Answers from your own documents, every sentence anchored to the passage it came from.",
        redoc_url=None,
    )
    app.state.process = state
    _add_routers(app, roles, mcp=mcp)
    problems.install(app)
    if roles.only in (None, "chat"):
        app.add_middleware(DirectRoutes, state=state, routes=build_direct_routes())
    app.add_middleware(
        BodyLimit, limit=settings.max_body_bytes, upload_path="/api/documents", upload_limit=settings.max_upload_bytes
    )
    app.add_middleware(
        BrowserSafety, host=settings.host, allowed_hosts=settings.allowed_hosts, cors_origins=settings.cors_origins,
        vouched_by=TOKEN_HEADER if roles.only == "ingest" else None,
    )  # fmt: skip
    if origins := split_entries(settings.cors_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id"],
        )
    app.add_middleware(RequestContext, state=state)
    app.add_middleware(RootPath)
    return app


def build_direct_routes() -> dict[str, DirectRoute]:
    """Build the direct routes of the two busiest paths."""

    async def answer_chat(body: Any, request: Request, services: Services, principal: Principal) -> Response:
        return await chat.chat(body, request, services, principal, request.headers.get("last-event-id"))

    return {
        "/api/chat": DirectRoute(chat.ChatRequest, answer_chat, _find_route(chat.router, chat.chat)),
        "/v1/chat/completions": DirectRoute(
            CompletionRequest, openai.completions, _find_route(openai.router, openai.completions)
        ),
    }


def _find_route(router: APIRouter, endpoint: Any) -> APIRoute:
    return next(route for route in router.routes if isinstance(route, APIRoute) and route.endpoint is endpoint)


def _add_routers(app: FastAPI, roles: RoleSettings, *, mcp: bool) -> None:
    """Add the routers of this role; of all roles, unless only one is set."""
    whole = roles.only is None
    if whole or roles.only == "chat":
        for part in _CHAT:
            app.include_router(part.router)
    if roles.ingest_url and roles.only in (None, "chat"):
        forward.install(app)
    elif whole or roles.only == "ingest":
        for part in _INGEST:
            app.include_router(part.router)
        app.include_router(classic.ingest_router)
    app.include_router(probes.router)
    if (mcp and (whole or roles.only == "chat")) or roles.only == "mcp":
        endpoint = McpEndpoint()
        for path in ("/mcp", "/mcp/"):  # both as they are: clients do not follow redirects of a POST
            app.router.routes.append(Route(path, endpoint=endpoint, include_in_schema=False))
    if whole or roles.only == "chat":
        page.install(app)
