"""Logs, the metrics catalogue, and what every part reports through."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

HTTP_REQUESTS = Counter(
    "anchorage_http_requests", "HTTP requests by route and status", ["method", "route", "status"], registry=REGISTRY
)
HTTP_SECONDS = Histogram(
    "anchorage_http_request_seconds", "Seconds until a response's headers", ["method", "route"], registry=REGISTRY
)
DOCUMENTS = Counter("anchorage_documents", "Documents processed, by outcome", ["status"], registry=REGISTRY)
JOBS = Counter("anchorage_jobs", "Runs of jobs, by kind and how they ended", ["kind", "status"], registry=REGISTRY)
JOBS_TAKEN_OVER = Counter("anchorage_jobs_taken_over", "Jobs taken over from workers that died", registry=REGISTRY)
ANSWERS = Counter("anchorage_answers", "Answers given, by kind", ["kind"], registry=REGISTRY)
FEEDBACK = Counter("anchorage_feedback", "Ratings of answers, by rating", ["rating"], registry=REGISTRY)
DEGRADATIONS = Counter(
    "anchorage_degradations", "Times that something was done in a lesser way, by which", ["which"], registry=REGISTRY
)
GUARD_FINDINGS = Counter(
    "anchorage_guard_findings", "Findings of the guards, by what was checked, rule and what followed",
    ["side", "rule", "action"], registry=REGISTRY,
)  # fmt: skip
ANSWER_CACHE_LOOKUPS = Counter(
    "anchorage_answer_cache", "Look-ups of earlier answers, by outcome", ["outcome"], registry=REGISTRY
)
TERM_LOOKUPS = Counter(
    "anchorage_index_terms", "Words of questions looked up in a lexical index, by whether their postings were kept or read", ["outcome"],
    registry=REGISTRY,
)  # fmt: skip
DENSE_PROBES = Counter(
    "anchorage_dense_probes",
    "Searches whose vector index had lost neighbours and was searched again from inside",
    registry=REGISTRY,
)
VECTORS_MENDED = Counter(
    "anchorage_vectors_mended",
    "Differences between a vector server and Postgres that upkeep has mended: foreign points, lost ones, and spaces of dropped indexes",
    ["kind"],
    registry=REGISTRY,
)
STREAMS_TAKEN_OVER = Counter(
    "anchorage_streams_taken_over", "Answers taken over from processes that died or shut down", registry=REGISTRY
)
STREAMS = Gauge("anchorage_inflight_streams", "Answer streams being sent", registry=REGISTRY)
QUEUE_OLDEST = Gauge(
    "anchorage_queue_oldest_seconds",
    "Seconds that the oldest job that is due has waited for a worker; NaN while the state database is away",
    registry=REGISTRY,
)


def count_inflight_streams() -> int:
    """Count the answer streams that are being sent."""
    return int(next(iter(next(iter(STREAMS.collect())).samples)).value)


_log = structlog.get_logger(__name__)
_logged_degradations: set[str] = set()
# Without the values of local variables: they hold connection strings, keys and people's documents.
_EXCEPTIONS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def record_degradation(which: str, reason: str) -> None:
    """Record that something was done in a lesser way. It is counted always and logged the first time."""
    DEGRADATIONS.labels(which).inc()
    if which not in _logged_degradations:
        _logged_degradations.add(which)
        _log.warning("degraded", which=which, reason=reason)


def configure_logging(level: str, form: str) -> None:
    """Send structured logs to stderr: readable on a terminal, JSON otherwise."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [_EXCEPTIONS, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last])  # fmt: skip
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelName(level), logging.INFO))
    for noisy in ("httpx", "httpcore", "uvicorn.access", "procrastinate", "mcp"):
        logging.getLogger(noisy).setLevel(max(logging.getLevelName(level), logging.WARNING))
    for repeated in ("psycopg", "psycopg.pool"):  # final failures are raised, and logged once by the caller
        logging.getLogger(repeated).setLevel(logging.ERROR)
