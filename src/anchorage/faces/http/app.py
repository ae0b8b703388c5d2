"""The ASGI application."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from anchorage.faces.http import chat, documents, jobs, probes, problems, sources, usage
from anchorage.faces.http.middleware import BodyLimit, RequestContext
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings


def create_app(settings: HttpSettings, state: ProcessState) -> FastAPI:
    """The application over `state`, whose services may still be starting: probes answer from the first moment."""
    app = FastAPIOffline(
        title="Anchorage",
        version=version("anchorage"),
        description="Answers from your own documents, every sentence anchored to the passage it came from.",
        root_path=settings.root_path,
        redoc_url=None,
    )
    app.state.process = state
    for part in (chat, documents, jobs, sources, usage, probes):
        app.include_router(part.router)
    problems.install(app)
    app.add_middleware(
        BodyLimit, limit=settings.max_body_bytes, upload_path="/api/documents", upload_limit=settings.max_upload_bytes
    )
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-Id"],
        )
    app.add_middleware(RequestContext)
    return app
