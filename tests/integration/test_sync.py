"""Registered sources: syncing, holding, deleting, through the queue and a worker."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.s3.client import S3
from anchorage.adapters.s3.place import Place
from anchorage.adapters.s3.source import S3Source
from anchorage.adapters.sources.confluence.client import ConfluenceAccess
from anchorage.adapters.sources.confluence.source import ConfluenceSource
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.adapters.sources.web.client import WebClient, WebLimits
from anchorage.adapters.sources.web.source import WebSource
from anchorage.errors import Conflict, DatabaseUnavailable, NotFound, Unavailable
from anchorage.faces.sources import remove_source
from anchorage.ingest.jobs.upload import upload_job
from anchorage.ingest.sync import Syncer, SyncLimits, sync_job
from anchorage.model import ParsedDocument, Principal, SourceEntry
from anchorage.ports.queue import UNWATCHED, NewJob
from anchorage.ports.source import Source
from anchorage.testing.confluence_server import TOKEN, confluence_server
from anchorage.testing.web_site import web_site

from .conftest import Office


async def test_a_source_is_synced_and_only_what_changed_is_read(office: Office) -> None:
    source = await office.register()
    async with office.working():
        found = await office.sync(source)
        assert (found.status, found.report) == ("synced", {"listed": 8, "queued": 8, "unchanged": 0, "deleted": 0})
        assert len(await office.uris()) == 8
        for path in office.folder.iterdir():  # their change time was too near to be trusted; now it is not
            _let_settle(path)
        await office.sync(source)
        (office.folder / "n3.txt").write_text("Bread is made of flour.")
        (office.folder / "n4.txt").unlink()
        (office.folder / "n9.txt").write_text("Iron melts.")
        found = await office.sync(source)
    assert found.report["queued"] == 2 and found.report["unchanged"] == 6 and found.report["deleted"] == 1
    assert "n4.txt" not in await office.uris() and "n9.txt" in await office.uris()
    assert "Bread is made of flour." in await office.texts("flour bread")
    assert not any("number 4" in text or "number 3" in text for text in await office.texts("harbour number 4"))


def _let_settle(path: Path) -> None:
    """The tag is trusted two seconds after the last change."""
    import time

    end = time.time_ns() + 10 * 10**9
    while time.time_ns() - path.stat().st_ctime_ns < 2.05 * 10**9:
        assert time.time_ns() < end
        time.sleep(0.05)


async def test_a_source_that_lost_too_much_is_held_until_confirmed(office: Office) -> None:
    source = await office.register()
    async with office.working():
        await office.sync(source)
        for number in range(6):
            (office.folder / f"n{number}.txt").unlink()
        found = await office.sync(source)
        assert found.status == "held" and found.error and f"sync {source.id} --confirm" in found.error.message
        assert len(await office.uris()) == 8
        found = await office.sync(source, confirmed=True)
        assert found.status == "synced" and len(await office.uris()) == 2
        for path in office.folder.iterdir():
            path.unlink()
        assert (await office.sync(source)).status == "held"  # nothing listed: held, however few they are
        assert len(await office.uris()) == 2


async def test_a_list_that_breaks_off_deletes_nothing(office: Office) -> None:
    source = await office.register()

    @dataclass
    class Breaking:
        inner: Source

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        async def list(self) -> AsyncIterator[SourceEntry]:
            yield SourceEntry((office.folder / "n0.txt").as_uri())
            raise Unavailable("The source stopped answering in the middle of its list. Try again.")

    async with office.working():
        await office.sync(source)
        office.wrap = Breaking  # type: ignore[assignment]
        (office.folder / "n5.txt").unlink()
        await office.queue.add(office.world.principal, [sync_job(source)])
        async with asyncio.timeout(30):
            while (found := await office.registry.source(office.world.principal, source.id)).status != "failed":
                await asyncio.sleep(0.02)
        assert found.error and found.error.code == "unavailable" and len(await office.uris()) == 8
        office.wrap = lambda inner: inner
        async with asyncio.timeout(30):  # it is tried again by itself
            while (await office.registry.source(office.world.principal, source.id)).status != "synced":
                await asyncio.sleep(0.05)
    assert len(await office.uris()) == 7


async def test_a_broken_file_is_told_once_and_not_read_at_every_sync(office: Office) -> None:
    (office.folder / "bad.pdf").write_text("no pdf")
    source = await office.register()
    async with office.working():
        await office.sync(source)
        for path in office.folder.iterdir():
            _let_settle(path)
        await office.sync(source)
        found = await office.sync(source)
    assert (found.report["queued"], found.report["unchanged"]) == (0, 9)
    jobs = await office.queue.jobs(office.world.principal, status="failed")
    assert {job.error.code for job in jobs if job.error} == {"corrupt"}
    documents = await office.world.catalog.documents(office.world.principal, collection="c")
    assert [item.error.code for item in documents if item.error] == ["corrupt"]


async def test_a_source_tells_how_many_of_its_documents_failed(office: Office) -> None:
    async def failed() -> int:
        return (await office.world.catalog.failures(office.world.principal, [source.id])).get(source.id, 0)

    for name in ("a.pdf", "b.pdf"):
        (office.folder / name).write_bytes(b"%PDF-1.7 and nothing of one")
    async with office.working():
        source = await office.register()
        assert await failed() == 0
        assert (await office.sync(source)).status == "synced"
        assert await failed() == 2
        (office.folder / "a.pdf").unlink()
        await office.sync(source)
        assert await failed() == 1
    stranger = Principal("stranger")
    assert not await office.world.catalog.failures(stranger, [source.id])


async def test_a_source_is_synced_when_its_time_has_come(office: Office, pool: Pool) -> None:
    source = await office.register(interval=3600)
    assert not await office.registry.due()
    async with pool.connection() as connection:
        await connection.execute("UPDATE anchorage.sources SET next_sync_at = now()")
    async with office.working():
        async with asyncio.timeout(30):
            while (found := await office.registry.source(office.world.principal, source.id)).status != "synced":
                await asyncio.sleep(0.02)
        await office.idle()
    assert len(await office.uris()) == 8 and found.next_sync_at and found.synced_at
    assert (found.next_sync_at - found.synced_at).total_seconds() > 3000
    assert not await office.registry.due()


async def test_registering_twice_is_one_source_and_others_see_none(office: Office) -> None:
    first = await office.register()
    again = await office.register(interval=60)
    assert first.id == again.id and again.interval == 60
    with pytest.raises(NotFound):
        await office.registry.source(Principal("other"), first.id)
    for wrong in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound):
            await office.registry.source(office.world.principal, wrong)
    await office.registry.remove(office.world.principal, first.id)
    assert not await office.registry.sources(office.world.principal)


async def test_a_folder_that_is_gone_is_a_reason_and_not_an_empty_list(office: Office) -> None:
    source = await office.register()
    async with office.working():
        await office.sync(source)
        os.rename(office.folder, office.folder.with_name("elsewhere"))
        await office.queue.add(office.world.principal, [sync_job(source)])
        await office.idle()
    found = await office.registry.source(office.world.principal, source.id)
    assert found.status == "failed" and found.error and "does not exist" in found.error.message
    assert len(await office.uris()) == 8


async def test_waiting_jobs_of_one_document_are_one(office: Office) -> None:
    source = await office.register()
    for tag in ("one", "two"):
        job = replace(sync_job(source), kind="ingest", uri="file:///x", tag=tag, lane="paused")
        await office.queue.add(office.world.principal, [job] * 2)
    jobs = await office.queue.jobs(office.world.principal, source_id=source.id)
    assert sorted(job.tag or "" for job in jobs) == ["one", "two"]  # the first is on its way already


async def test_a_subfolder_that_cannot_be_listed_keeps_its_documents(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    (office.folder / "sub").mkdir()
    for number in range(3):
        (office.folder / "sub" / f"s{number}.txt").write_text(f"Below {number}.")
    source = await office.register()
    real = os.scandir

    def broken(path: str) -> object:
        if str(path).endswith("sub"):
            raise OSError(5, "Input/output error", str(path))
        return real(path)

    async with office.working():
        await office.sync(source)
        monkeypatch.setattr(os, "scandir", broken)
        (office.folder / "n0.txt").unlink()
        found = await office.sync(source)
        monkeypatch.undo()
    assert found.status == "synced" and found.report["deleted"] == 1
    assert {f"s{number}.txt" for number in range(3)} <= await office.uris()


async def test_a_page_that_vanishes_vanishes_from_answers_and_one_that_never_was_is_a_failure(office: Office) -> None:
    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with web_site() as site:
        limits = WebLimits(max_bytes=100_000, pause=0, allow_private=True)
        office.wrap = lambda _: WebSource(f"{site.url}/page", WebClient(limits, resolver=here))
        source = await office.register()
        async with office.working():
            found = await office.sync(source)
            assert found.status == "synced" and not await office.uris()
            assert await office.world.catalog.failures(office.world.principal, [source.id]) == {source.id: 1}
            site.add_page("/page", "The quay of Ghent is long.", "text/plain")
            await office.sync(source)
            assert await office.uris() == {"page"} and await office.texts("quay")
            assert not await office.world.catalog.failures(office.world.principal, [source.id])
            site.add_page("/page", "gone", status=410)
            held = await office.sync(source)
            assert held.status == "held" and held.error and "gone" in held.error.message and await office.uris()
            assert (await office.sync(source, confirmed=True)).report["deleted"] == 1
            assert not await office.uris() and not await office.texts("quay")


async def test_what_was_ingested_by_hand_becomes_the_sources(office: Office) -> None:
    folder = LocalSource(office.folder, max_bytes=10**6)
    assert len([item async for item in office.world.ingester.ingest_source("c", folder)]) == 8
    source = await office.register()
    async with office.working():
        await office.sync(source)
        held = await office.world.catalog.of_source(office.world.principal, "c", source.id)
        assert len(held) == 8
        again = [item async for item in office.world.ingester.ingest_source("c", folder)]
        assert (
            len(again) == 8 and len(await office.world.catalog.of_source(office.world.principal, "c", source.id)) == 8
        )
        (office.folder / "n3.txt").unlink()
        assert (await office.sync(source)).report["deleted"] == 1


@pytest.mark.parametrize("keep", [True, False])
async def test_removing_a_source_while_its_documents_are_in_work(office: Office, keep: bool) -> None:
    source = await office.register()
    storage = office.storage
    await office.world.catalog.open_collection(office.world.principal, "c", office.world.ingest.index)
    async with office.working():
        await office.queue.add(office.world.principal, [sync_job(source)])
        async with asyncio.timeout(30):
            while not await office.uris():
                await asyncio.sleep(0.01)
        await remove_source(storage, office.world.principal, source.id, keep_documents=keep)
        await office.idle()
    left = await office.uris()
    assert left if keep else not left
    assert not await office.registry.sources(office.world.principal)


@pytest.mark.parametrize("running", [False, True])
async def test_what_is_deleted_does_not_come_back_by_an_upload_before(
    office: Office, pool: Pool, *, running: bool
) -> None:
    world, file, parser = office.world, office.folder / "a.txt", office.world.ingest.parser
    await world.catalog.open_collection(world.principal, "c", world.ingest.index)
    reading, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(parser, name)

        async def parse(self, path: Path, name: str, **more: object) -> ParsedDocument:
            reading.set()
            with suppress(asyncio.CancelledError):  # told too late
                await go_on.wait()
            return await parser.parse(path, name)

    slow = replace(office, world=replace(world, ingest=replace(world.ingest, parser=Slow())))  # type: ignore[arg-type]

    async def upload(text: str) -> str:
        file.write_text(text)
        job = upload_job(world.principal, "c", "upload://c/a.txt", "a.txt", await world.blobs.put(file))
        return (await office.queue.add(world.principal, [job]))[0]

    async def in_hands() -> bool:
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT FROM procrastinate.procrastinate_jobs WHERE status = 'doing'")
            return await cursor.fetchone() is not None

    async with office.working():
        await upload("The old quay.")
        await office.idle()
    second = await upload("The secret new quay.")
    async with slow.working() if running else nullcontext():
        if running:
            await reading.wait()
        await world.ingest.remover.delete_by_hand(world.principal, await office.documents())
        assert not await office.documents()
        job = await office.queue.job(world.principal, second)
        assert job.status == "cancelled" and job.error and job.error.code == "deleted"
        go_on.set()
        async with asyncio.timeout(30):
            while running and await in_hands():
                await asyncio.sleep(0.02)
    async with office.working():
        await office.idle()
        assert not await office.uris()
        await upload("A quay after that.")  # is another matter
        await office.idle()
        assert await office.uris() == {"a.txt"}


async def test_removing_a_source_can_be_done_again_when_it_failed_on_the_way(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, principal = await office.register(), office.world.principal
    async with office.working():
        await office.sync(source)
    with monkeypatch.context() as patch:

        async def away(*_: object, **__: object) -> None:
            raise DatabaseUnavailable("The database is away.")

        patch.setattr(office.world.catalog, "delete", away)
        with pytest.raises(DatabaseUnavailable):
            await remove_source(office.storage, principal, source.id, keep_documents=False)
    assert await office.registry.sources(principal) and await office.uris()
    assert await remove_source(office.storage, principal, source.id, keep_documents=False) == 8
    assert not await office.registry.sources(principal) and not await office.uris()


async def test_a_source_that_is_not_removed_after_all_is_synced_anew(
    office: Office, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anchorage.faces.sources._PATIENCE", 0.0)
    source, principal = await office.register(), office.world.principal
    await office.queue.add(principal, [sync_job(source), NewJob("ingest", "c", "x", "x", "l", source_id=source.id)])
    async with pool.connection() as connection:
        await connection.execute("UPDATE anchorage.jobs SET status = 'running' WHERE kind = 'ingest'")
    with pytest.raises(Conflict, match="in work"):
        await remove_source(office.storage, principal, source.id, keep_documents=False)
    assert sorted((job.kind, job.status) for job in await office.queue.jobs(principal)) == [
        ("ingest", "running"), ("sync", "cancelled"), ("sync", "queued"),
    ]  # fmt: skip


async def test_credentials_that_expire_in_the_middle_of_a_sync(office: Office) -> None:
    async with confluence_server() as server:
        for number in range(6):
            server.add("DOCS", f"Page {number}", f"<p>Harbour {number}</p>")
        access = ConfluenceAccess(server.url, "ada@example.org", TOKEN, "cloud")
        office.wrap = lambda _: ConfluenceSource("confluence://DOCS", access, max_bytes=10**6)
        source = await office.register()
        async with office.working():
            assert (await office.sync(source)).report["listed"] == 6
            server.pages.pop()
            server.expires_after = len(server.requests) + 2
            found = await office.sync(source)
            assert found.status == "failed" and found.error and found.error.code == "not_allowed"
            assert "CONFLUENCE_PASSWORD" in found.error.message and len(await office.uris()) == 6
            server.expires_after = None
            found = await office.sync(source)
        assert found.status == "synced" and found.report["deleted"] == 1 and len(await office.uris()) == 5


async def test_a_bucket_that_is_gone_keeps_its_documents(office: Office, s3: S3, bucket: str) -> None:
    for key in ("a.txt", "b.txt"):
        await s3.call("put_object", key, bucket, Key=key, Body=b"Harbour of " + key.encode())
    office.wrap = lambda _: S3Source(s3, Place(bucket), max_bytes=10**6)
    source = await office.register()
    async with office.working():
        assert (await office.sync(source)).report["listed"] == 2
        for key in ("a.txt", "b.txt"):
            await s3.call("delete_object", key, bucket, Key=key)
        assert (await office.sync(source)).status == "held"  # an empty bucket is suspicious
        await s3.call("delete_bucket", bucket, bucket)
        found = await office.sync(source)
    assert (
        found.status == "failed" and found.error and found.error.code == "not_found" and bucket in found.error.message
    )
    assert await office.uris() == {"a.txt", "b.txt"}


async def test_a_document_of_two_sources_stays_until_both_have_lost_it(office: Office) -> None:
    deep = office.folder / "deep"
    deep.mkdir()
    for number in range(3):
        (deep / f"d{number}.txt").write_text(f"Deep harbour {number}.")
    hidden: set[tuple[str, str]] = set()

    @dataclass
    class Partial:
        inner: Source

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        async def list(self) -> AsyncIterator[SourceEntry]:
            async for entry in self.inner.list():
                if (self.inner.uri, Path(entry.uri).name) not in hidden:
                    yield entry

    office.wrap = Partial  # type: ignore[assignment]
    wide, narrow = office.folder.as_uri(), deep.as_uri()
    outer = await office.register()
    inner = await office.registry.add(office.world.principal, "c", str(deep), {}, None)
    store, principal = office.world.catalog, office.world.principal
    async with office.working():
        await office.sync(outer)
        await office.sync(inner)
        assert len(await store.of_source(principal, "c", inner.id)) == 3
        hidden.add((wide, "d0.txt"))  # lost by the one it belongs to: it is the other's now
        assert (await office.sync(outer)).report["deleted"] == 0 and "d0.txt" in await office.uris()
        hidden.add((narrow, "d0.txt"))
        assert (await office.sync(inner)).report["deleted"] == 1 and "d0.txt" not in await office.uris()
        hidden.add((narrow, "d1.txt"))  # lost by the one that only claims it
        assert (await office.sync(inner)).report["deleted"] == 0
        hidden.add((wide, "d1.txt"))
        assert (await office.sync(outer)).report["deleted"] == 1 and "d1.txt" not in await office.uris()
    storage = office.storage
    assert await remove_source(storage, principal, outer.id, keep_documents=False) == 8
    assert await office.uris() == {"d2.txt"}
    assert await remove_source(storage, principal, inner.id, keep_documents=True) == 0
    assert await office.uris() == {"d2.txt"} and not await store.of_source(principal, "c", inner.id)


async def test_sources_that_find_a_document_at_the_same_time_share_it(office: Office) -> None:
    """Both have listed it before either has read it."""
    deep = office.folder / "deep"
    deep.mkdir()
    (deep / "d.txt").write_text("Deep harbour.")
    principal, ingest = office.world.principal, office.world.ingest
    inner = await office.registry.add(principal, "c", str(deep), {}, None)
    outer = await office.register()

    for source in (outer, inner):
        async with office.open_source(source) as opened:
            syncer = Syncer(
                ingest.catalog,
                office.queue,
                office.registry,
                ingest.indexes,
                ingest.file_parser,
                ingest.remover,
                SyncLimits(),
            )
            await syncer.sync(source, opened, UNWATCHED, confirmed=False)
    async with office.working():
        await office.idle()
        assert len(await office.uris()) == 9
    for source in (outer, inner):
        assert "d.txt" in await office.uris()
        await remove_source(office.storage, principal, source.id, keep_documents=False)
    assert not await office.uris()


async def test_a_cancelled_sync_leaves_a_reason(office: Office) -> None:
    source = await office.register()

    @dataclass
    class Slow:
        inner: Source

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        async def list(self) -> AsyncIterator[SourceEntry]:
            await asyncio.sleep(60)
            yield SourceEntry("x")

    office.wrap = Slow  # type: ignore[assignment]
    async with office.working():
        (job,) = await office.queue.add(office.world.principal, [sync_job(source)])
        async with asyncio.timeout(30):
            while (await office.registry.source(office.world.principal, source.id)).status != "syncing":
                await asyncio.sleep(0.01)
            await office.queue.cancel(office.world.principal, job)
            while (found := await office.registry.source(office.world.principal, source.id)).status == "syncing":
                await asyncio.sleep(0.01)
    assert found.status == "failed" and found.error and "stopped before its end" in found.error.message
