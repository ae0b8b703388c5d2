"""Runs the API, alone or with a worker beside it, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

import structlog
import uvicorn

from anchorage.chat.streaming.tidy import sweep_forever
from anchorage.errors import AnchorageError, ConfigurationError
from anchorage.faces.http.app import create_app, create_probes
from anchorage.faces.http.browser import describe_rebinding_risk
from anchorage.faces.http.heads import make_bounded_http
from anchorage.faces.http.saturation import Saturation
from anchorage.faces.http.state import ProcessState
from anchorage.faces.running import announce, this_server
from anchorage.settings import Settings
from anchorage.wiring.services import Services, open_services

_log = structlog.get_logger(__name__)
_HANDOVER_TIME = 4.0  # seconds for handing streams over, within the time that requests get
Prepare = Callable[[Services], Awaitable[None]]
"""What must be done before the process is ready for requests."""


class _Server(uvicorn.Server):
    """Tells the probes when it begins to drain."""

    def __init__(self, config: uvicorn.Config, state: ProcessState, linger: float) -> None:
        super().__init__(config)
        self._state, self._linger = state, linger
        self._signals = 0
        self._skip_linger = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but without raising the signal again at the end: the services are still to be closed then."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets it linger; a second one ends that."""
        self._signals += 1
        if self._signals > 1:
            self._skip_linger.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on for a while, then let open requests end.

        Streams that do not are handed over to other processes in time, and their clients sent there.
        """
        self._state.draining = True
        if self._signals and self._linger:
            # Requests are still accepted: load balancers send them until they see that this process is not ready.
            _log.info("lingering", seconds=self._linger)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._skip_linger.wait(), self._linger)
        self._state.ending = True
        handing_over = asyncio.create_task(self._hand_over())
        try:
            await super().shutdown(sockets)
        finally:
            handing_over.cancel()
            with suppress(asyncio.CancelledError):
                await handing_over

    async def _hand_over(self) -> None:
        services = self._state.services
        if services is None:
            return
        services.streams.draining = True
        limits = services.settings.http
        await asyncio.sleep(max(0.0, min(limits.drain_timeout, limits.shutdown_timeout - _HANDOVER_TIME)))
        await services.streams.hand_over()


async def serve(settings: Settings, *, api: bool = True, worker: bool = False, prepare: Prepare | None = None,
                on_ready: Callable[[str], None] | None = None) -> None:  # fmt: skip
    """Serve until SIGINT or SIGTERM; without the `api`, probes and metrics only.

    Raises `ConfigurationError` when the address is taken, and what opening services raises.
    """
    state = ProcessState(saturation=Saturation(settings.http.max_streams), lingers=settings.http.linger > 0)
    listener = _listen(settings.http.host, settings.http.port, shared=settings.http.reuse_port)
    host, port = listener.getsockname()[:2]
    if api and (risk := describe_rebinding_risk(settings.http.host, settings.http.allowed_hosts)):
        _log.warning("answers_any_host_name", reason=risk)
    config = uvicorn.Config(
        create_app(settings.http, state, mcp=settings.mcp.enabled, roles=settings.roles)
        if api
        else create_probes(state),
        http=make_bounded_http(settings.http.max_head_bytes, settings.http.head_timeout),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        root_path=settings.http.root_path.rstrip("/"),
        timeout_graceful_shutdown=int(settings.http.shutdown_timeout),
        timeout_keep_alive=75,
    )
    server = _Server(config, state, settings.http.linger)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    announcement = ExitStack()

    def ready() -> None:
        if api and settings.roles.only is None and not settings.http.reuse_port:
            _announce(settings, state, host, port, announcement)
        if on_ready:
            on_ready(f"http://{_shown(host)}:{port}")

    working = asyncio.create_task(_run_services(settings, state, worker, prepare, ready))
    try:
        await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        announcement.close()
        # Requests are over: only now may the services close.
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def _announce(settings: Settings, state: ProcessState, host: str, port: int, stack: ExitStack) -> None:
    """Tell commands on the same data directory where this server is. They work without it, too."""
    running = this_server(host, port)
    try:
        stack.enter_context(announce(settings.data.dir, running))
        state.running = running
    except OSError as error:
        _log.info("not_announced", reason=f"{settings.data.dir} cannot be written: {error.strerror}")


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104  shown, not listened on
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio turns Nagle's algorithm off only then, and it would hold each response back 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"The address {host}:{port} cannot be used: {error.strerror}. Stop what listens there, or take another with --port or "
            "APP_HOST and APP_PORT."
        ) from error
    return listener


async def _tidy_conversations(services: Services) -> None:
    storage, days = services.storage, services.settings.conversation.ttl_days
    ttl = None if days is None else days * 86400
    await sweep_forever(
        storage.stream_log, storage.memory, storage.caching, retention=services.settings.stream.retention, ttl=ttl
    )


def _freeze_garbage() -> None:
    """Exclude all objects that live as long as the process from garbage collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _run_services(
    settings: Settings,
    state: ProcessState,
    worker: bool,
    prepare: Prepare | None,
    on_ready: Callable[[], object],
) -> None:
    """Open the services, get ready, then run the worker, if one is wanted, until cancelled."""
    async with open_services(settings) as services:
        state.services = services
        try:
            if prepare:
                state.waiting_for = "the first documents to be indexed"
                await prepare(services)
            state.waiting_for = None
            on_ready()
            _freeze_garbage()
            tidying = asyncio.create_task(_tidy_conversations(services))
            try:
                if worker:
                    await services.worker.work(settings.ingest.concurrency)
                else:
                    await tidying
            finally:
                tidying.cancel()
        except AnchorageError:
            state.waiting_for = "a restart"
            raise
