"""Anchorage: the verbs of the Python API, done in this process on a data directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from anchorage.api import AskEvent
from anchorage.errors import ConfigurationError
from anchorage.faces.python.chat import answer_events, answer_question, evaluate_dataset, search_passages
from anchorage.faces.python.resources import Conversations, Documents, Jobs, Sources
from anchorage.model import DEFAULT_COLLECTION, Answer, Hit, Outcome
from anchorage.settings import Settings, load_settings
from anchorage.wiring.services import Services, Storage, build_services, open_storage


def _ignore(*_: object) -> None:
    return None


class Anchorage:
    """Everything in this process: database, models, parsers. Open it with `Anchorage.open`; `anchorage up` may run beside it.

    Models and parsers load when something first needs them.
    """

    def __init__(self, storage: Storage, stack: AsyncExitStack) -> None:
        self._storage, self._stack = storage, stack
        self._opening = asyncio.Lock()
        self._services: Services | None = None
        self.documents = Documents(storage)
        self.conversations = Conversations(storage)
        self.jobs = Jobs(storage)
        self.sources = Sources(storage, self._open_once)

    @classmethod
    @asynccontextmanager
    async def open(cls, *, data: str | Path | None = None, **settings: Any) -> AsyncIterator[Self]:
        """Open a data directory (else that of ANCHORAGE_DATA, else the user's own), for as long as the context lasts.

        Settings win over the environment, which stays as it is: `llm={"model": "llama3.2"}`, or `llm__model="llama3.2"`. Raises
        `ConfigurationError` for a wrong one, and `DatabaseUnavailable`.
        """
        overrides = settings_by_section(settings)
        if data is not None:
            overrides.setdefault("data", {})["dir"] = Path(data).expanduser().absolute()
        async with cls.over(load_settings(**overrides)) as opened:
            yield opened

    @classmethod
    @asynccontextmanager
    async def over(cls, settings: Settings) -> AsyncIterator[Self]:
        """As `open`, with settings that were loaded before."""
        async with AsyncExitStack() as stack:
            yield cls(await stack.enter_async_context(open_storage(settings)), stack)

    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self._storage.settings

    async def _open_once(self) -> Services:
        async with self._opening:
            if self._services is None:
                self._services = await build_services(self._storage, self._stack)
            return self._services

    async def search(self, question: str, *, collection: str | None = None, k: int | None = None) -> Sequence[Hit]:
        """The passages that fit a question best."""
        return await search_passages(await self._open_once(), question, collection, k)

    async def ask(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> Answer:  # fmt: skip
        """The answer to a question, with a citation for every sentence."""
        return await answer_question(await self._open_once(), question, collection, conversation_id, message_id)

    async def ask_stream(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> AsyncGenerator[AskEvent, None]:  # fmt: skip
        """The answer as it is written; the last event is `answer`. Closing the generator ends the turn."""
        services = await self._open_once()
        async with aclosing(answer_events(services, question, collection, conversation_id, message_id)) as events:
            async for event in events:
                yield event

    async def ingest(
        self, *places: str | Path, collection: str = DEFAULT_COLLECTION, wait: bool = True
    ) -> Sequence[Outcome]:
        """Index folders, files, s3:// prefixes, web pages and confluence:// spaces; what is gone from a folder is deleted.

        With `wait=False` files are queued for a worker. Raises `BadRequest` for what is not there, before anything is done.
        """
        return [outcome async for outcome in self.ingest_stream(*places, collection=collection, wait=wait)]

    async def ingest_stream(
        self, *places: str | Path, collection: str = DEFAULT_COLLECTION, wait: bool = True,
        web: Mapping[str, Any] | None = None, counted: Callable[[int | None], object] = _ignore,
    ) -> AsyncGenerator[Outcome, None]:  # fmt: skip
        """As `ingest`, each document as soon as it is done. `counted` is told how many there are, where that is known; `web` says how
        web addresses are read: mode, depth, pages, prefix.
        """
        from anchorage.faces.python.ingestion import ingest_places

        outcomes = ingest_places(
            self.settings, self._open_once, places, collection, wait=wait, web=web, counted=counted
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome

    async def collections(self) -> Mapping[str, int]:
        """How many documents each collection has."""
        found = await self._storage.catalog.collections(self._storage.principal)
        return {item.name: item.documents for item in found}

    async def eval(
        self, folder: str | Path, *, k: int = 10, distractors: str | Path | None = None, keep: str | None = None,
        progress: Callable[[str, int], None] = _ignore,
    ) -> dict[str, Any]:  # fmt: skip
        """Measure retrieval and answers on a judged set, in a collection that is dropped at the end unless it is to be kept.

        `folder` holds corpus.jsonl[.gz], queries.jsonl and qrels.tsv. `progress` is told what is being done, and how much of it is.
        Raises `BadRequest` for a set that cannot be read.
        """
        return await evaluate_dataset(
            await self._open_once(), Path(folder), k=k, distractors=Path(distractors) if distractors else None, keep=keep,
            progress=progress,
        )  # fmt: skip


def settings_by_section(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Keywords as sections with values: `llm={"model": ...}` as it is, `llm__model=...` split. Raises `ConfigurationError`."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        section, separator, key = name.partition("__")
        if separator:
            found.setdefault(section, {})[key] = value
        elif isinstance(value, Mapping):
            found.setdefault(section, {}).update(value)
        else:
            raise ConfigurationError(
                f"{name}: there is no such setting. Write a section with its values, as llm={{'model': ...}}, or llm__model=... "
                "docs/reference/settings.md lists them all."
            )
    return found
