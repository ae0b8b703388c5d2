"""The Python API without `await`, for notebooks and scripts: `Anchorage` and `Client` with the same verbs.

    from anchorage.sync import Anchorage

    with Anchorage.open(data="my-data") as anchorage:
        anchorage.ingest("papers")
        print(anchorage.ask("Who approved the plan?").answer)

Each object has an event loop in a thread of its own, so that it works where a loop runs already, as in Jupyter.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from anchorage.api import Api, AskEvent, ConversationsApi, DocumentsApi, JobsApi, SourcesApi
from anchorage.model import (
    DEFAULT_COLLECTION,
    Answer,
    Conversation,
    Document,
    DocumentText,
    Hit,
    Job,
    Outcome,
    RegisteredSource,
    Turn,
)

if TYPE_CHECKING:
    from anchorage.faces.python import Anchorage as AsyncAnchorage

__all__ = ["Anchorage", "Client"]

T = TypeVar("T")


class Background:
    """An event loop in a thread, in which all of one object happens. One that nobody closed is closed when the program ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._leave = asyncio.Event()
        self._holding: Future[None] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="anchorage.sync", daemon=True)
        self._thread.start()
        _close_at_end(self)

    @property
    def is_open(self) -> bool:
        return not self._loop.is_closed()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin the work."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("This was closed. Open another one.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context until this is closed; one task enters and leaves it, as some contexts want."""
        entered: Future[T] = Future()

        async def hold() -> None:
            try:
                async with context as value:
                    entered.set_result(value)
                    await self._leave.wait()
            except BaseException as error:
                if entered.done():
                    raise
                entered.set_exception(error)

        self._holding = self.start(hold())
        try:
            return entered.result()
        except KeyboardInterrupt:
            self._holding.cancel()
            raise

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of the work, which is cancelled when the caller is interrupted."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items as they come. Leaving the loop over them closes their generator."""

        async def following() -> tuple[bool, T | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        try:
            while True:
                more, item = self.run(following())
                if not more:
                    return
                yield item  # type: ignore[misc]  # there is one
        finally:
            if self.is_open:
                self.run(items.aclose())

    def close(self) -> None:
        """Leave what was entered, and end the loop and its thread; a second time does nothing."""
        if not self.is_open:
            return
        try:
            self._loop.call_soon_threadsafe(self._leave.set)
            if self._holding:
                self._holding.result()
        finally:
            self.run(self._loop.shutdown_asyncgens())
            self.run(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def _close_at_end(background: Background) -> None:
    """When the program ends, before the interpreter waits for the threads of executors: `atexit` would be too late, since what is open
    keeps some of them busy.
    """
    kept = weakref.ref(background)

    def close() -> None:
        if found := kept():
            found.close()

    threading._register_atexit(close)  # type: ignore[attr-defined]  # as concurrent.futures does


class Documents:
    def __init__(self, api: DocumentsApi, loop: Background) -> None:
        self._api, self._run = api, loop.run

    def list(
        self, *, collection: str | None = None, status: str | None = None, matching: str = ""
    ) -> Sequence[Document]:
        return self._run(self._api.list(collection=collection, status=status, matching=matching))

    def show(self, document_id: str, *, version: str | None = None) -> tuple[Document, DocumentText | None]:
        return self._run(self._api.show(document_id, version=version))

    def delete(self, *document_ids: str) -> Sequence[str]:
        return self._run(self._api.delete(*document_ids))

    def delete_all(self, collection: str) -> Sequence[str]:
        return self._run(self._api.delete_all(collection))


class Conversations:
    def __init__(self, api: ConversationsApi, loop: Background) -> None:
        self._api, self._run = api, loop.run

    def list(self, *, limit: int = 100, matching: str = "") -> Sequence[Conversation]:
        return self._run(self._api.list(limit=limit, matching=matching))

    def show(self, conversation_id: str) -> tuple[Conversation, Sequence[Turn]]:
        return self._run(self._api.show(conversation_id))

    def delete(self, conversation_id: str) -> None:
        self._run(self._api.delete(conversation_id))

    def delete_all(self) -> None:
        self._run(self._api.delete_all())


class Jobs:
    def __init__(self, api: JobsApi, loop: Background) -> None:
        self._api, self._run = api, loop.run

    def list(self, *, status: str | None = None, source_id: str | None = None, limit: int = 100) -> Sequence[Job]:
        return self._run(self._api.list(status=status, source_id=source_id, limit=limit))

    def counts(self) -> Mapping[str, int]:
        return self._run(self._api.counts())

    def show(self, job_id: str) -> Job:
        return self._run(self._api.show(job_id))

    def retry(self, job_id: str) -> Job:
        return self._run(self._api.retry(job_id))

    def cancel(self, job_id: str) -> Job:
        return self._run(self._api.cancel(job_id))


class Sources:
    def __init__(self, api: SourcesApi, loop: Background) -> None:
        self._api, self._run = api, loop.run

    def list(self) -> Sequence[RegisteredSource]:
        return self._run(self._api.list())

    def add(
        self, location: str, *, collection: str = DEFAULT_COLLECTION, every: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[RegisteredSource, str]:  # fmt: skip
        return self._run(self._api.add(location, collection=collection, every=every, options=options))

    def sync(self, source_id: str, *, confirm: bool = False) -> str:
        return self._run(self._api.sync(source_id, confirm=confirm))

    def remove(self, source_id: str, *, keep_documents: bool = False) -> int:
        return self._run(self._api.remove(source_id, keep_documents=keep_documents))


class Blocking:
    """What both have in common. The methods are those of `Api`, and raise what they raise."""

    def __init__(self, api: Api, loop: Background) -> None:
        self._api, self._loop = api, loop
        self.documents = Documents(api.documents, loop)
        self.conversations = Conversations(api.conversations, loop)
        self.jobs = Jobs(api.jobs, loop)
        self.sources = Sources(api.sources, loop)

    def search(self, question: str, *, collection: str | None = None, k: int | None = None) -> Sequence[Hit]:
        return self._loop.run(self._api.search(question, collection=collection, k=k))

    def ask(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> Answer:  # fmt: skip
        return self._loop.run(
            self._api.ask(question, collection=collection, conversation_id=conversation_id, message_id=message_id)
        )

    def ask_stream(
        self, question: str, *, collection: str | None = None, conversation_id: str | None = None,
        message_id: str | None = None,
    ) -> Iterator[AskEvent]:  # fmt: skip
        return self._loop.iterate(
            self._api.ask_stream(
                question, collection=collection, conversation_id=conversation_id, message_id=message_id
            )
        )

    def ingest(self, *places: str | Path, collection: str = DEFAULT_COLLECTION, wait: bool = True) -> Sequence[Outcome]:
        return self._loop.run(self._api.ingest(*places, collection=collection, wait=wait))

    def collections(self) -> Mapping[str, int]:
        return self._loop.run(self._api.collections())


class Client(Blocking):
    """`anchorage.Client` without `await`; close it with `close`, or use it as a context manager."""

    def __init__(
        self, base_url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, timeout: float = 60, retries: int = 3,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        from anchorage.client import Client as AsyncClient

        self._client = AsyncClient(base_url, api_key, timeout=timeout, retries=retries, headers=headers)
        loop = Background()
        super().__init__(loop.enter(self._client), loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stop(self, conversation_id: str) -> bool:
        """End the answer that is being written in a conversation; whether there was one."""
        return self._loop.run(self._client.stop(conversation_id))

    def close(self) -> None:
        """Close all connections; a second time does nothing."""
        self._loop.close()


class Anchorage(Blocking):
    """`anchorage.Anchorage` without `await`. Open it with `Anchorage.open`."""

    def __init__(self, api: AsyncAnchorage, loop: Background) -> None:
        super().__init__(api, loop)
        self._anchorage = api

    @classmethod
    @contextmanager
    def open(cls, *, data: str | Path | None = None, **settings: Any) -> Iterator[Self]:
        """As `anchorage.Anchorage.open`."""
        from anchorage.faces.python import Anchorage as AsyncAnchorage

        loop = Background()
        try:
            yield cls(loop.enter(AsyncAnchorage.open(data=data, **settings)), loop)
        finally:
            loop.close()

    def eval(
        self, folder: str | Path, *, k: int = 10, distractors: str | Path | None = None, keep: str | None = None,
        progress: Callable[[str, int], None] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """As `anchorage.Anchorage.eval`."""
        told = {"progress": progress} if progress else {}
        return self._loop.run(self._anchorage.eval(folder, k=k, distractors=distractors, keep=keep, **told))
