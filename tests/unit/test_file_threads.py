"""Files that never answer."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from anchorage.adapters.sources.files import folder
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.sources.files.threads import _AT_ONCE, FileThreads
from anchorage.errors import Unavailable


@pytest.fixture
async def hang() -> AsyncIterator[Event]:
    """What hangs until the test is over."""
    event = Event()
    yield event
    event.set()


async def test_what_hangs_keeps_out_nobody_but_its_own(hang: Event) -> None:
    threads, others = FileThreads(0.2), FileThreads(20)
    waiting = [asyncio.create_task(threads("a.txt", hang.wait)) for _ in range(_AT_ONCE + 2)]
    for task in waiting:
        with pytest.raises(Unavailable, match=r"a\.txt did not answer within 0\.2 s .ANCHORAGE_INGEST__FILE_TIMEOUT"):
            await task
    assert await asyncio.to_thread(lambda: 1) == await others("b.txt", lambda: 1) == 1
    hang.set()
    assert await threads("a.txt", hang.wait)  # it has come back


async def test_what_fails_fails_as_it_did() -> None:
    with pytest.raises(FileNotFoundError):
        await FileThreads(20)("it", os.stat, "/nosuch")


async def test_a_file_that_hangs_is_tried_again_later(
    hang: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("x")
    source = LocalSource(tmp_path / "a.txt", max_bytes=100, file_timeout=0.2)
    monkeypatch.setattr(folder, "_check_readable", lambda _: hang.wait())
    with pytest.raises(Unavailable, match="did not answer within"):
        async with source.fetch(source.uri):
            pass
