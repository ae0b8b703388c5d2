"""Checks every part of the system on its own, so that one failure does not hide another."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from anchorage.errors import AnchorageError, ConfigurationError
from anchorage.settings import Settings
from anchorage.wiring.cache import redis_cache
from anchorage.wiring.databases import open_databases, pending_migrations
from anchorage.wiring.guards import open_guards
from anchorage.wiring.models import open_client, open_embedder, open_generator, open_reranking
from anchorage.wiring.services import Storage, open_storage
from anchorage.wiring.sources import open_location
from anchorage.wiring.stores import vector_server

_TIMEOUT = 60
_ADVICE = {
    "wrong_address": ". Its API answers below /v1 only: end its address in /v1 (OPENAI_BASE_URL, or the BASE_URL of this part)",
    "unauthorized": ". It does not take the key, or wants one: check OPENAI_API_KEY, or the API_KEY of this part",
}
_LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One part: `status` is ok, warning, failed or off; `detail` says what to do where it is not ok."""

    name: str
    status: str
    detail: str


async def diagnose(settings: Settings) -> list[Check]:
    """Run all checks, in the order in which to fix them."""
    return [
        await asyncio.to_thread(_check_data_directory, settings),
        *await _check_databases(settings),
        *await _check_vector_server(settings),
        *await _check_originals(settings),
        await _check_embedder(settings),
        await _check_generator(settings),
        await _check_reranker(settings),
        await _check_guard(settings),
        *await _check_answer_cache(settings),
    ]


def _check_data_directory(settings: Settings) -> Check:
    folder = settings.data.dir
    place = folder
    while not os.path.exists(place):  # noqa: PTH110  Path.exists raises where a parent is closed
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        return Check(
            "data directory", "failed", f"{folder} cannot be written. Take another with --data DIR or ANCHORAGE_DATA."
        )
    free = shutil.disk_usage(place).free
    room = f"{folder}, {free / 1024**3:.1f} GB free"
    return (
        Check("data directory", "ok", room)
        if free > _LEAST_FREE_BYTES
        else Check("data directory", "warning", f"{room}. Free some space.")
    )


async def _check_databases(settings: Settings) -> list[Check]:
    try:
        async with asyncio.timeout(settings.database.embedded_start_timeout + _TIMEOUT), AsyncExitStack() as stack:
            urls = await stack.enter_async_context(open_databases(settings))
            waiting = await pending_migrations(urls)
            storage = await stack.enter_async_context(open_storage(settings, migrated=False))
            return [await _check_database("vector database", storage), await _check_database("state database", storage),
                    _check_migrations(waiting),
                    *([] if waiting else [await _check_collections(storage)])]  # fmt: skip
    except AnchorageError as error:
        return [Check("databases", "failed", error.message)]
    except TimeoutError:
        return [Check("databases", "failed", "They did not answer in time. Check VECTOR_DB_URL and STATE_DB_URL.")]


def _check_migrations(waiting: list[str]) -> Check:
    if not waiting:
        return Check("migrations", "ok", "up to date")
    return Check(
        "migrations",
        "warning",
        f"{len(waiting)} wait. `anchorage migrate` applies them, and so does the next ingest or up.",
    )


async def _check_database(name: str, storage: Storage) -> Check:
    database = storage.settings.database
    url = database.vector_url if name.startswith("vector") else database.state_url
    try:
        await (storage.catalog.ping() if name.startswith("vector") else storage.memory.ping())
    except AnchorageError as error:
        return Check(name, "failed", error.message)
    return Check(
        name, "ok", "connected" if url else f"connected (embedded, in {storage.settings.data.dir / 'postgres'})"
    )


async def _check_collections(storage: Storage) -> Check:
    found = await storage.catalog.collections(storage.principal)
    told = ", ".join(f"{item.name}: {item.documents} documents, {item.chunks} passages" for item in found)
    return Check("collections", "ok", told or "none yet; `anchorage ingest FOLDER` makes one")


async def _check_vector_server(settings: Settings) -> list[Check]:
    """Check that the vector server answers, where there is one."""
    if not settings.vectors.url:
        return []
    kind = settings.vectors.kind
    try:
        async with vector_server(settings.vectors) as server:
            await server.ping()
    except AnchorageError as error:
        later = "" if isinstance(error, ConfigurationError) else " Until it answers, passages are found by their words."
        return [Check("vector server", "failed", error.message + later)]
    return [Check("vector server", "ok", f"{kind}: connected")]


async def _check_originals(settings: Settings) -> list[Check]:
    """Check that the bucket of the originals answers, where they are kept in one."""
    url = settings.blobs.url
    if not url:
        return []
    try:
        async with open_location(settings, url.rstrip("/") + "/") as source, aclosing(source.list()) as entries:  # type: ignore[type-var]
            await anext(entries, None)
    except AnchorageError as error:
        return [Check("originals", "failed", error.message)]
    return [Check("originals", "ok", f"kept in {url}")]


async def _check_embedder(settings: Settings) -> Check:
    try:
        async with open_client(settings) as client:
            embedder = await open_embedder(settings, client)
            word = await embedder.ping()
    except AnchorageError as error:
        return Check("embedder", "failed", error.message)
    spec = embedder.spec
    return Check(
        "embedder",
        "ok" if word == "available" else "failed",
        f"{spec.name}, {spec.dimension} dimensions, {spec.precision}: {word}{_ADVICE.get(word, '')}",
    )


async def _check_generator(settings: Settings) -> Check:
    try:
        async with open_client(settings) as client:
            generator = open_generator(settings.llm, client)
            if generator is None:
                if settings.llm.model and settings.llm.provider == "auto":
                    return Check(
                        "generator",
                        "warning",
                        f"LLM_MODEL is {settings.llm.model}, but no server is set, so answers are quotations: set OPENAI_API_KEY, "
                        "OPENAI_BASE_URL or OLLAMA_HOST",
                    )
                return Check(
                    "generator",
                    "off",
                    "answers are quotations; OPENAI_API_KEY, OPENAI_BASE_URL or OLLAMA_HOST switch one on",
                )
            word = await generator.ping()
    except AnchorageError as error:
        return Check("generator", "failed", error.message)
    fine = word == "available"
    advice = (
        ""
        if fine
        else _ADVICE.get(word, ". Check that its server runs, its address and its key") + "; until then questions fail"
    )
    return Check("generator", "ok" if fine else "failed", f"{generator.model}: {word}{advice}")


async def _check_reranker(settings: Settings) -> Check:
    try:
        async with open_client(settings) as client:
            reranking = await open_reranking(settings, client)
            if reranking is None:
                return Check("reranker", "off", "passages stay in the order of retrieval; RERANK_MODEL switches one on")
            word = await reranking.reranker.ping()
    except AnchorageError as error:
        return Check("reranker", "failed", error.message)
    advice = "" if word == "available" else ". Until it answers, passages stay in the order of retrieval"
    return Check("reranker", "ok" if word == "available" else "warning", f"{reranking.reranker.model}: {word}{advice}")


async def _check_guard(settings: Settings) -> Check:
    try:
        async with open_client(settings) as client:
            guards = open_guards(settings, client)
            if guards.judge is None:
                return Check("guard", "ok", "rules; GUARD_MODEL adds a model")
            word = await guards.judge.ping()
    except AnchorageError as error:
        return Check("guard", "failed", error.message)
    fine = word == "available"
    advice = (
        ""
        if fine
        else _ADVICE.get(word, "") + ". Until it answers, questions " + ("pass" if guards.fails_open else "fail")
    )
    return Check("guard", "ok" if fine else "failed", f"rules, and {guards.judge.model}: {word}{advice}")


async def _check_answer_cache(settings: Settings) -> list[Check]:
    """Check that Redis answers, where it is the cache. Postgres was checked before."""
    if settings.cache.backend != "redis":
        return []
    try:
        async with redis_cache(settings) as cache:
            await cache.ping()
    except AnchorageError as error:
        later = (
            "" if isinstance(error, ConfigurationError) else " Until it answers, nothing is answered from the cache."
        )
        return [Check("answer cache", "failed" if not later else "warning", error.message + later)]
    return [Check("answer cache", "ok", "Redis: connected")]
