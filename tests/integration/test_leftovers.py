"""What processes that were killed leave behind, and how it goes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchorage.adapters.leftovers import remove_leftovers
from anchorage.adapters.postgres.embedded.cluster import MAJOR
from anchorage.adapters.postgres.embedded.supervisor import open_embedded_postgres
from anchorage.evaluation.run import drop_stale_evaluations, open_evaluation_collection

from .conftest import World


@pytest.fixture
def dead() -> Iterator[int]:
    """The pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    yield process.pid


def made(path: Path, *, hours: float, folder: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
        (path / "page").write_text("half a page")
    else:
        path.write_text("half")
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


def test_old_leftovers_go_and_all_else_stays(tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    gone = [
        made(data / "uploads" / "tmpabc", hours=2),
        made(data / "blobs" / ".123-abc", hours=2),
        made(temporary / f"anchorage-web-{dead}-x", hours=2, folder=True),
        made(temporary / f"anchorage-s3-{dead}-x", hours=2),
        made(temporary / f"anchorage-confluence-{dead}-x", hours=2, folder=True),
    ]
    original = made(data / "blobs" / "ab" / ("ab" * 32), hours=2)
    os.utime(original.parent, (0, 0))
    (temporary / "elsewhere").symlink_to(data)
    stays = [
        original,
        made(data / "uploads" / "tmpnew", hours=0.1),
        made(data / "blobs" / ".123-new", hours=0.1),
        made(temporary / f"anchorage-web-{os.getpid()}-x", hours=2, folder=True),
        made(temporary / f"anchorage-s3-{dead}-new", hours=0.1),
        made(temporary / "somebody-elses", hours=2),
        temporary / "elsewhere",
    ]
    assert remove_leftovers(data) == len(gone)
    assert not any(path.exists() for path in gone) and all(path.exists() for path in stays)
    assert remove_leftovers(tmp_path / "none") == 0


def test_a_download_that_is_killed_leaves_what_is_found_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that the sources give are those that are looked for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import asyncio, os, signal\n"
        "from anchorage.adapters.sources.web.client import WebClient, WebLimits\n"
        "from anchorage.adapters.sources.web.page import download_page\n"
        "from anchorage.testing.web_site import web_site\n"
        "async def main():\n"
        "    async with web_site() as site:\n"
        "        site.add_page('/', 'text')\n"
        "        page = await download_page(WebClient(WebLimits(1000, pause=0, allow_private=True)), site.url + '/')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"TMPDIR": str(tmp_path)}).returncode == -9
    (left,) = tmp_path.iterdir()
    assert remove_leftovers(tmp_path / "data") == 0  # too young
    os.utime(left, (0, 0))
    assert remove_leftovers(tmp_path / "data") == 1 and not left.exists()


async def test_evaluations_that_were_killed_are_dropped_after_a_day(world: World) -> None:
    store, principal, index = world.catalog, world.principal, world.ingest.index
    killed = "eval-20200101T000000-00000000-0000-0000-0000-000000000000"
    for name in (killed, "eval-mine"):
        await store.open_collection(principal, name, index, kind="eval")
    async with open_evaluation_collection(store, principal, index, None) as running:
        assert await drop_stale_evaluations(store, principal) == 1
        assert {item.name for item in await store.collections(principal, kinds=("eval",))} == {running, "eval-mine"}


@pytest.mark.slow
async def test_a_start_that_was_killed_leaves_nothing_to_the_next(tmp_path: Path, dead: int) -> None:
    folder = tmp_path / "postgres"
    made(folder / f"{MAJOR}.{dead}.new", hours=0, folder=True)
    made(folder / f"{MAJOR}.{dead}.password", hours=0)
    async with open_embedded_postgres(folder, port=None, start_timeout=60):
        assert not [path.name for path in folder.iterdir() if str(dead) in path.name]
