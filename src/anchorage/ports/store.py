"""Store: documents, their chunks, and the index that finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anchorage.model import (
    Chunk,
    Collection,
    Document,
    DocumentText,
    EmbedderSpec,
    Failure,
    Hit,
    IndexSpec,
    ParsedDocument,
    Principal,
)


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document ready to be shown: its text, chunks, a header line and a vector for each chunk.

    `vectors` has the shape (chunks, dimension); a header and its chunk's text together are what the lexical index holds.
    """

    uri: str
    version: str
    parsed: ParsedDocument
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]
    headers: Sequence[str]
    media_type: str | None = None
    blob_key: str | None = None
    size: int = 0
    tag: str | None = None
    source_id: str | None = None
    replaces: str | None = None
    """The version that was there when the bytes were read, "" for none; None where it does not matter."""


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the text of a document version."""

    document_id: str
    version: str
    start: int
    end: int
    passage: str = ""
    """What the caller has of this text already, from `passage_start` on."""
    passage_start: int = 0

    def known(self, start: int, end: int) -> str | None:
        """What the text holds from `start` to `end`, where the passage says so."""
        if self.passage_start <= start and end <= self.passage_start + len(self.passage):
            return self.passage[start - self.passage_start : end - self.passage_start]
        return None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The text at a span with what stands around it, and the page on which it starts."""

    prefix: str
    quote: str
    suffix: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the index takes it, with its vector by each embedder that the collections were indexed with.

    Hits come from the best `depth` of each list; `k` of them are returned.
    """

    text: str
    vectors: Mapping[EmbedderSpec, NDArray[np.float32] | None]
    """None: that embedder is away, and its collections are searched by words alone."""
    k: int
    depth: int = 100
    dense_weight: float = 0.5
    lists: bool = False
    """Whether the two rankings are wanted too."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What retrieval found: the fused hits and, where the query wants them, the two rankings they came from, best first."""

    hits: Sequence[Hit]
    dense: Sequence[tuple[str, str]] = ()
    lexical: Sequence[tuple[str, str]] = ()
    """(chunk id, document id) pairs."""
    needs: Sequence[EmbedderSpec] = ()
    """Embedders whose vector of the question is missing: nothing was searched yet."""
    by_words: Sequence[EmbedderSpec] = ()
    """Embedders that were away, so that their collections were searched by words alone."""


class Store(Protocol):
    """Every read takes the principal and filters by it inside the query."""

    async def open_collection(
        self, principal: Principal, name: str, index: IndexSpec, *, kind: str = "user"
    ) -> Collection:
        """The collection; made with this index when it is new, or empty. Another keeps the index that it has."""
        ...

    async def collections(
        self, principal: Principal, *, kinds: Sequence[str] = ("user", "docs")
    ) -> Sequence[Collection]:
        """All that the principal may read, by name."""
        ...

    async def drop_collection(self, principal: Principal, name: str) -> None:
        """Remove it with all it holds. Raises `NotFound`."""
        ...

    async def versions(self, principal: Principal, collection: str, uris: Sequence[str]) -> Mapping[str, Document]:
        """The documents among `uris` that the collection holds, by uri."""
        ...

    async def uris_below(self, principal: Principal, collection: str, prefix: str) -> Mapping[str, str]:
        """Document ids by uri, of every document whose uri starts with `prefix`."""
        ...

    async def of_source(self, principal: Principal, collection: str, source_id: str) -> Mapping[str, str]:
        """Document ids by uri, of every document that a registered source lists."""
        ...

    async def failures(self, principal: Principal, source_ids: Sequence[str]) -> Mapping[str, int]:
        """How many documents of each registered source could not be read when that was last tried; none is no entry."""
        ...

    async def claim(self, principal: Principal, collection: str, uris: Sequence[str], source_id: str) -> None:
        """Note that a registered source lists these documents, which belong to another one."""
        ...

    async def release(
        self, principal: Principal, collection: str, document_ids: Sequence[str], source_id: str
    ) -> Sequence[str]:
        """Take documents from a source that lists them no more; returns the ids of those that no other one lists."""
        ...

    async def disown(self, principal: Principal, collection: str, source_id: str) -> None:
        """Keep the documents of a registered source that is to be removed."""
        ...

    async def replace(
        self,
        principal: Principal,
        collection: str,
        documents: Sequence[IndexedDocument],
        *,
        index_id: int | None = None,
    ) -> Sequence[str]:
        """Make these versions visible and the older ones not, all in one transaction; returns their ids.

        Raises `IndexMoved` when `index_id`, which they were made for, is not the live index any more, and `Superseded` when one of
        them `replaces` what is not there any more: it was read before that changed.
        """
        ...

    async def fail(self, principal: Principal, collection: str, uri: str, title: str, failure: Failure,
                   metadata: Mapping[str, Any], *, tag: str | None = None, source_id: str | None = None) -> str:  # fmt: skip
        """Record why a document could not be processed. An older indexed version stays."""
        ...

    async def confirm(
        self, principal: Principal, document_id: str, version: str, tag: str | None, source_id: str | None = None
    ) -> None:
        """The indexed version is the right one (again): a failure is taken back; the source and its tag are noted.

        Raises `Superseded` when another version is indexed by now.
        """
        ...

    async def embedded(
        self, principal: Principal, document_id: str, *, index_id: int | None = None
    ) -> Mapping[tuple[str, str], NDArray[np.float32]]:
        """The vectors of the indexed version's chunks, by header and text. Raises `IndexMoved` as `replace` does."""
        ...

    async def blob_keys(self, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
        """The blob keys of these documents."""
        ...

    async def unused_blobs(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of the keys that no document has."""
        ...

    async def delete(self, principal: Principal, document_ids: Sequence[str]) -> Sequence[str]:
        """Remove documents from every answer at once; returns the ids that were there."""
        ...

    async def documents(self, principal: Principal, *, collection: str | None = None, limit: int = 1000,
                        after: tuple[str, str] | None = None, status: str | None = None, matching: str = "",
                        ) -> Sequence[Document]:  # fmt: skip
        """Documents by collection and uri, of this status, with `matching` in their title or uri; `after` are collection and uri of the
        last one seen, which may be gone by now.
        """
        ...

    async def chunks(
        self, principal: Principal, document_id: str, *, after: int = -1, limit: int = 100
    ) -> Sequence[tuple[str, Chunk]]:
        """The passages of the indexed version with their ids, in order, behind the ordinal `after`. Raises `NotFound`."""
        ...

    async def document(self, principal: Principal, document_id: str) -> Document:
        """Raises `NotFound`."""
        ...

    async def text(self, principal: Principal, document_id: str, version: str | None = None) -> DocumentText:
        """The text of a version (of the current one by default). Raises `NotFound`."""
        ...

    async def excerpts(
        self, principal: Principal, spans: Sequence[Span], width: int = 32, *, keep: bool = False
    ) -> Sequence[Excerpt | None]:
        """What the versions' texts hold at the spans, with `width` characters on both sides; None where there is no text.

        `keep`: these texts stay when their versions are replaced, since something that lasts is going to cite them.
        """
        ...

    async def search(
        self,
        principal: Principal,
        query: Query,
        collections: Sequence[str] | None,
        *,
        index_id: int | None = None,
    ) -> Ranking:
        """Hybrid retrieval; `index_id` takes one index version, live or not, instead. Raises `NotFound`.

        Where a vector of the question is missing, `needs` says which, and nothing else is done.
        """
        ...

    async def state(self, principal: Principal, collections: Sequence[str] | None) -> str:
        """A word that is another one whenever what `search` finds may be. Raises `NotFound`."""
        ...

    async def maintain(self, *, settled: bool = False, wait: bool = False) -> int:
        """One bounded piece of background upkeep; returns how much was done, 0 when nothing is left or somebody else is at it.

        `settled` says that a load is over: what waits for that is done now. `wait`: who is at it is waited for.
        """
        ...

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable`."""
        ...
