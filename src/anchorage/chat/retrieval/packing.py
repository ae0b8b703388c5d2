"""packing: compresses the hits of an answer while a slow model writes it."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from typing import cast, overload

from anchorage.model import Hit


class PackableHits(Sequence[Hit]):
    """Hits that can be packed to a third of their size or less. Reading them unpacks them.

    Hits are most of the memory of an open answer, and a process may have a thousand open answers.
    """

    __slots__ = ("_hits", "_packed")

    def __init__(self, hits: Sequence[Hit] = ()) -> None:
        self._hits: tuple[Hit, ...] | None = tuple(hits)
        self._packed = b""

    def pack(self) -> None:
        """Compress them until they are read."""
        if self._hits:
            self._packed = zlib.compress(pickle.dumps(self._hits, pickle.HIGHEST_PROTOCOL), 1)
            self._hits = None

    def _unpack(self) -> tuple[Hit, ...]:
        if self._hits is None:
            self._hits = cast(tuple[Hit, ...], pickle.loads(zlib.decompress(self._packed)))  # noqa: S301  ours, from above
            self._packed = b""
        return self._hits

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self._unpack()[index]

    def __len__(self) -> int:
        return len(self._unpack())

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._unpack())
