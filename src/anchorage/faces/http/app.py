"""The ASGI application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from starlette.routing import Route

from anchorage.faces.http import (
    chat,
    classic,
    conversations,
    documents,
    feedback,
    jobs,
    openai,
    page,
    probes,
    problems,
    sources,
    system,
    usage,
)
from anchorage.faces.http.browser import BrowserSafety, listed
from anchorage.faces.http.mcp import McpEndpoint
from anchorage.faces.http.middleware import BodyLimit, RequestContext
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings


def create_probes(state: ProcessState) -> FastAPI:
    """What a process that serves nobody shows to its probes and to Prometheus."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.process = state
    app.include_router(probes.router)
    problems.install(app)
    return app


def create_app(settings: HttpSettings, state: ProcessState, *, mcp: bool = True) -> FastAPI:
    """The application over `state`, whose services may still be starting: probes answer from the first moment."""
    app = FastAPIOffline(
        title="Anchorage",
        version=version("anchorage"),
        description="Answers from your own documents, every sentence anchored to the passage it came from.",
        redoc_url=None,
    )
    app.state.process = state
    for part in (chat, conversations, feedback, documents, jobs, sources, usage, system, openai, classic, probes):
        app.include_router(part.router)
    if mcp:
        endpoint = McpEndpoint()
        for path in ("/mcp", "/mcp/"):  # both as they are: clients do not follow redirects of a POST
            app.router.routes.append(Route(path, endpoint=endpoint, include_in_schema=False))
    page.install(app)
    problems.install(app)
    app.add_middleware(
        BodyLimit, limit=settings.max_body_bytes, upload_path="/api/documents", upload_limit=settings.max_upload_bytes
    )
    app.add_middleware(
        BrowserSafety, host=settings.host, allowed_hosts=settings.allowed_hosts, cors_origins=settings.cors_origins
    )
    if origins := listed(settings.cors_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id"],
        )
    app.add_middleware(RequestContext)
    return app
