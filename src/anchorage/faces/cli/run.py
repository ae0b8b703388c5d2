"""up, serve, worker, migrate: the roles of the system."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Any

import structlog
import typer

from anchorage.errors import Unavailable
from anchorage.faces.cli.options import Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json
from anchorage.settings import Settings

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the API (APP_PORT).")]
Host = Annotated[str | None, typer.Option("--host", help="Address of the API (APP_HOST).")]

_PAUSE = 1.0  # seconds between two attempts at a database


def _http(host: str | None, port: int | None) -> dict[str, Any]:
    return {name: value for name, value in (("host", host), ("port", port)) if value is not None}


def up(port: Port = None, host: Host = None, data: Data = None) -> None:
    """Run everything on this machine: database, local model, worker, API; ready with a collection of our own docs."""
    settings = settings_for(data, quiet=False, http=_http(host, port))

    def ready(address: str) -> None:
        out = console()
        out.print(f"\nAnchorage is ready at {address} (API: {address}/docs). Data: {settings.data.dir}")
        # Another shell knows nothing of our --data.
        where = f" --data {shlex.quote(str(settings.data.dir))}" if data else ""
        out.print(
            f'Try: anchorage ask "What is an index version?"{where}    Add: anchorage ingest FOLDER{where}    Stop: Ctrl+C\n',
            markup=False,
        )

    _serve(settings, worker=True, docs=True, ready=ready)


class Role(StrEnum):
    """What `serve` may serve alone."""

    CHAT = "chat"
    RETRIEVAL = "retrieval"
    INGEST = "ingest"
    MCP = "mcp"


def serve(
    only: Annotated[
        Role | None,
        typer.Option("--only", help="One role of several processes; see RETRIEVAL_URL and INGEST_URL. All by default."),
    ] = None,
    port: Port = None,
    host: Host = None,
    data: Data = None,
) -> None:
    """Run the API. Uploads wait for a worker: see `anchorage worker`."""
    _end_while_starting()
    roles = {} if only is None else {"only": only.value}
    settings = settings_for(data, quiet=False, http=_http(host, port), roles=roles)
    log = structlog.get_logger(__name__)
    role = settings.roles.only or "all"
    _serve(settings, ready=lambda address: log.info("ready", address=address, role=role))


def _end_while_starting() -> None:
    """End at SIGTERM before anything listens to it: to the first process of a container the system does not see to that."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def _serve(settings: Settings, *, api: bool = True, worker: bool = False, docs: bool = False, ready: Any) -> None:
    from anchorage.faces.http.server import serve as run_server
    from anchorage.faces.sample import ingest_own_docs
    from anchorage.wiring.sources import check_originals

    check_originals(settings)
    serving = run_server(settings, api=api, worker=worker, prepare=ingest_own_docs if docs else None, on_ready=ready)
    if find_spec("uvloop"):  # made for Linux and macOS; a tenth less work for each request
        import uvloop

        uvloop.run(serving)
    else:
        asyncio.run(serving)


def worker(
    probes: Annotated[
        int | None, typer.Option("--probes", metavar="PORT", min=0, max=65535, help="Serve probes and metrics on it.")
    ] = None,
    data: Data = None,
) -> None:
    """Ingest queued documents, and keep the index tidy, until stopped."""
    _end_while_starting()
    settings = settings_for(data, quiet=False, http=_http(None, probes))
    if probes is None:
        asyncio.run(_worker(settings))
        return
    log, concurrency = structlog.get_logger(__name__), settings.ingest.concurrency
    _serve(
        settings, api=False, worker=True,
        ready=lambda address: log.info("worker_ready", concurrency=concurrency, address=address),
    )  # fmt: skip


async def _worker(settings: Settings) -> None:
    from anchorage.wiring.services import open_services
    from anchorage.wiring.sources import check_originals

    check_originals(settings)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        async with open_services(settings) as services:
            structlog.get_logger(__name__).info("worker_ready", concurrency=settings.ingest.concurrency)
            await services.worker.work(settings.ingest.concurrency)


def migrate(
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Go on trying while a database does not answer.")
    ] = 0,
    check: Annotated[
        bool,
        typer.Option("--check", help="Apply nothing; fail while a step is missing, or wait for somebody to take it."),
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring both databases up to this release."""
    settings = settings_for(data)
    steps = asyncio.run(_patiently(lambda: _check(settings) if check else _migrate(settings), wait))
    if json:
        print_json({"steps": steps})
    else:
        console().print(f"{steps} steps applied." if steps else "The databases are up to date.")


async def _migrate(settings: Settings) -> int:
    from anchorage.wiring.databases import migrate_databases, open_databases

    async with open_databases(settings) as urls:
        return await migrate_databases(urls)


async def _check(settings: Settings) -> int:
    from anchorage.wiring.databases import open_databases, pending_migrations

    async with open_databases(settings) as urls:
        missing = await pending_migrations(urls)
    if missing:
        raise Unavailable(
            f"The databases lack {len(missing)} steps of this release, from {missing[0]} on. Apply them with `anchorage migrate`."
        )
    return 0


async def _patiently(attempt: Callable[[], Awaitable[int]], patience: float) -> int:
    """Try again while what is needed is not there yet, and say once why."""
    log = structlog.get_logger(__name__)
    deadline, told = time.monotonic() + patience, ""
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            if time.monotonic() >= deadline:
                raise
            if error.message != told:
                told = error.message
                log.warning("waiting", reason=told, seconds=round(deadline - time.monotonic()))
        await asyncio.sleep(_PAUSE)
