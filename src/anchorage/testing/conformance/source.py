"""What every `Source` must do. Subclass with a fixture `world`: a source with a way to change what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from anchorage.errors import NotFound
from anchorage.model import SourceEntry
from anchorage.ports.source import Source

NAMES = (
    "a.txt",
    "deep/er/b.md",
    "with space & ü 猫?.txt",
    "per%20cent#.txt",
    "new\nline.txt",
    "empty.txt",
    ".hidden",
    ".git/x",
)
"""What the source holds at first; each has its name as content, save `empty.txt`."""


def make_content(name: str) -> bytes:
    """The bytes under a name."""
    return b"" if name == "empty.txt" else name.encode()


class SourceWorld(Protocol):
    """A source that holds `NAMES` with `make_content` each."""

    source: Source

    async def write(self, name: str, content: bytes) -> None: ...

    async def remove(self, name: str) -> None: ...


async def _list_entries(source: Source) -> list[SourceEntry]:
    return [entry async for entry in source.list()]


async def _find_entry(source: Source, name: str) -> SourceEntry:
    """The entry of a name. Names are told from fetched items, since only the source knows how it makes URIs."""
    for entry in await _list_entries(source):
        async with source.fetch(entry.uri) as item:
            if item.name == name:
                return entry
    raise AssertionError(f"{name} is not listed")


class SourceConformance:
    """Lists everything once, in a stable order; what it fetches is what it says."""

    async def test_it_lists_each_visible_item_once_in_a_stable_order(self, world: SourceWorld) -> None:
        entries = await _list_entries(world.source)
        uris = [entry.uri for entry in entries]
        assert len(uris) == len(set(uris)) == len([name for name in NAMES if not name.startswith(".")])
        assert uris == [entry.uri for entry in await _list_entries(world.source)]

    async def test_uris_are_uris_below_the_prefix(self, world: SourceWorld) -> None:
        assert world.source.prefix and world.source.prefix.endswith("/")
        for entry in await _list_entries(world.source):
            assert entry.uri.startswith(world.source.prefix)
            assert entry.uri.isascii() and entry.uri.isprintable() and " " not in entry.uri

    async def test_bytes_come_whole_with_their_size_and_tag(self, world: SourceWorld) -> None:
        fetched = []
        for entry in await _list_entries(world.source):
            async with world.source.fetch(entry.uri) as item:
                fetched.append(Path(item.path).read_bytes())
                assert item.uri == entry.uri and item.size == len(fetched[-1])
                assert None in (entry.tag, item.tag) or entry.tag == item.tag  # None: it cannot tell yet
                assert "/" not in item.name
        assert sorted(fetched) == sorted(make_content(name) for name in NAMES if not name.startswith("."))

    async def test_tags_stay_with_the_bytes_and_change_with_them(self, world: SourceWorld) -> None:
        uri = (await _find_entry(world.source, "a.txt")).uri
        async with world.source.fetch(uri) as item:
            first = item.tag
        async with world.source.fetch(uri) as item:
            assert None in (first, item.tag) or item.tag == first
        await world.write("a.txt", b"something else")
        async with world.source.fetch(uri) as item:
            assert (first is None or item.tag != first) and Path(item.path).read_bytes() == b"something else"
        assert first is None or (await _find_entry(world.source, "a.txt")).tag != first

    async def test_what_is_removed_is_not_found(self, world: SourceWorld) -> None:
        uri = (await _find_entry(world.source, "b.md")).uri
        await world.remove("deep/er/b.md")
        assert uri not in {entry.uri for entry in await _list_entries(world.source)}
        with pytest.raises(NotFound):
            async with world.source.fetch(uri):
                pass

    async def test_what_is_new_is_listed(self, world: SourceWorld) -> None:
        await world.write("deep/c.txt", b"new")
        async with world.source.fetch((await _find_entry(world.source, "c.txt")).uri) as item:
            assert Path(item.path).read_bytes() == b"new"
