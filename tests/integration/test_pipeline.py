"""Ingestion of folders: what changes, what stays, what fails, what is gone."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from anchorage.adapters.blobs import FolderBlobStore
from anchorage.adapters.postgres.pool import Pool
from anchorage.adapters.sources.files.folder import LocalSource
from anchorage.errors import (
    BadRequest,
    DatabaseUnavailable,
    DocumentRefused,
    IndexMismatch,
    ModelError,
    ModelUnavailable,
    NotAllowed,
    Unavailable,
)
from anchorage.ingest.jobs.upload import ingest_upload, upload_job
from anchorage.model import Outcome, ParsedDocument, SourceEntry, SourceItem
from anchorage.testing.fakes import FixedEmbedders, HashEmbedder
from support.asking import retrieve

from .conftest import World


async def ingest(world: World, path: Path, *, max_bytes: int = 10**7) -> list[Outcome]:
    source = LocalSource(path, max_bytes=max_bytes)
    return [outcome async for outcome in world.ingester.ingest_source("c", source)]


async def texts(world: World, question: str) -> list[str]:
    ranking, _ = await retrieve(world.chat, world.principal, question, ["c"])
    return [hit.text for hit in ranking.hits]


def statuses(outcomes: list[Outcome]) -> dict[str, str]:
    return {Path(outcome.uri).name: outcome.status.value for outcome in outcomes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "sub").mkdir(parents=True)
    (root / "a.md").write_text("# Harbour\n\nThe harbour of Ghent opened in 1827.")
    (root / "sub" / "b.txt").write_text("Bread is made of flour.")
    (root / ".hidden.txt").write_text("secret")
    (root / "bad.pdf").write_text("no pdf")
    (root / "odd name ü%.txt").write_text("Iron melts.")
    return root


async def test_a_folder_is_ingested_once(world: World, folder: Path) -> None:
    first = await ingest(world, folder)
    assert statuses(first) == {
        "a.md": "indexed",
        "b.txt": "indexed",
        "bad.pdf": "failed",
        "odd%20name%20%C3%BC%25.txt": "indexed",
    }
    failed = next(outcome for outcome in first if outcome.error)
    assert failed.error and failed.error.code == "corrupt" and failed.document_id
    assert "Bread is made of flour." in await texts(world, "flour bread")
    again = await ingest(world, folder)
    assert Counter(statuses(again).values()) == {"unchanged": 3, "failed": 1}


async def test_a_worker_that_slept_does_not_bring_back_what_it_had_read(world: World, folder: Path) -> None:
    """It has read a file, and stores it after another worker has stored a later version: it reads the file again."""
    path, parser = folder / "sub" / "b.txt", world.ingest.parser
    source = LocalSource(path, max_bytes=10**7)
    await world.ingest.catalog.open_collection(world.principal, "c", world.ingest.index)

    class Slept:
        version, supports = parser.version, parser.supports
        times = 0

        async def parse(self, place: Path, name: str, *, password: str | None = None) -> ParsedDocument:
            read = await parser.parse(place, name, password=password)
            self.times += 1
            if self.times == 1:
                path.write_text("Bread is made of rye.")
                await world.ingester.ingest_document("c", source, SourceEntry(source.uri), None)
            return read

    slept = Slept()
    sleeper = replace(world.ingest, parser=slept).ingester_for(world.principal)
    early = _Early(source, path)
    outcome = await sleeper.ingest_document("c", early, SourceEntry(source.uri), None)
    assert outcome.status.value in ("indexed", "unchanged") and early.fetched == 2
    assert await texts(world, "bread") == ["Bread is made of rye."]


async def test_a_worker_that_slept_does_not_confirm_what_is_indexed_no_more(world: World, folder: Path) -> None:
    """It has read the bytes that are indexed, and another worker stores a later version before it says so."""
    path, blobs = folder / "sub" / "b.txt", world.ingest.blobs
    source, entry = LocalSource(path, max_bytes=10**7), SourceEntry(path.as_uri())
    other = world.ingester
    await other.ingest_document("c", source, entry, None)
    known = await other.find_document("c", entry.uri)

    class Slow(FolderBlobStore):
        async def put(self, place: Path) -> str:
            key = await blobs.put(place)
            if place != path:
                path.write_text("Bread is made of rye.")
                await other.ingest_document("c", source, entry, known)
            return key

    early = _Early(source, path)
    sleeper = replace(world.ingest, blobs=Slow(world.blobs.root)).ingester_for(world.principal)
    await sleeper.ingest_document("c", early, entry, known)
    found = await other.find_document("c", entry.uri)
    assert early.fetched == 2 and found and found.version != (known and known.version)


class _Early:
    """A source that had handed its bytes over before they changed."""

    prefix = None

    def __init__(self, source: LocalSource, path: Path) -> None:
        self._source, self.uri, self.fetched = source, source.uri, 0
        self._copy = path.with_name("copy.txt")
        self._copy.write_bytes(path.read_bytes())

    def list(self) -> AsyncIterator[SourceEntry]:
        return self._source.list()

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
        self.fetched += 1
        if self.fetched == 1:
            yield SourceItem(uri, "b.txt", str(self._copy), self._copy.stat().st_size)
        else:
            async with self._source.fetch(uri) as item:
                yield item


async def test_changes_and_removals_reach_answers(world: World, folder: Path) -> None:
    await ingest(world, folder)
    (folder / "a.md").write_text("# Harbour\n\nThe harbour of Antwerp opened in 1811.")
    (folder / "sub" / "b.txt").unlink()
    assert statuses(await ingest(world, folder)) == {
        "a.md": "indexed", "b.txt": "deleted", "bad.pdf": "failed", "odd%20name%20%C3%BC%25.txt": "unchanged",
    }  # fmt: skip
    found = await texts(world, "harbour bread")
    assert any("Antwerp" in text for text in found)
    assert not any("Ghent" in text or "Bread" in text for text in found)


async def test_a_folder_that_lists_nothing_is_held(world: World, folder: Path) -> None:
    await ingest(world, folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    outcomes = await ingest(world, folder)
    assert {outcome.status.value for outcome in outcomes} == {"held"}
    assert await texts(world, "harbour")


async def test_a_file_that_breaks_keeps_its_old_version(world: World, folder: Path) -> None:
    await ingest(world, folder / "a.md")
    (folder / "a.md").write_bytes(bytes(range(256)) * 9)
    (outcome,) = await ingest(world, folder / "a.md")
    assert outcome.error and outcome.error.code == "binary"
    assert any("Ghent" in text for text in await texts(world, "harbour"))
    (folder / "a.md").write_text("# Harbour\n\nThe harbour of Ghent opened in 1827.")
    (outcome,) = await ingest(world, folder / "a.md")
    assert outcome.status.value == "unchanged"
    assert (await world.catalog.document(world.principal, outcome.document_id or "")).error is None


async def test_a_document_whose_new_version_is_broken_counts_with_the_old_one(world: World, folder: Path) -> None:
    (folder / "a.json").write_text('{"a": "harbour"}')
    source = LocalSource(folder / "a.json", max_bytes=10**6)
    assert [item.status.value async for item in world.ingester.ingest_source("c", source)] == ["indexed"]
    (folder / "a.json").write_text('{"a": "harb')
    assert [item.status.value async for item in world.ingester.ingest_source("c", source)] == ["failed"]
    (found,) = await world.catalog.collections(world.principal)
    assert (found.documents, found.chunks) == (1, 1)


async def test_two_ingests_of_one_folder_at_once(world: World, folder: Path) -> None:
    for number in range(30):
        (folder / f"n{number}.txt").write_text(f"Document number {number} about harbours.")
    both = await asyncio.gather(ingest(world, folder), ingest(world, folder))
    for outcomes in both:
        assert len(outcomes) == 34
    documents = await world.catalog.documents(world.principal, collection="c")
    assert len({document.uri for document in documents}) == len(documents) == 34
    found = await texts(world, "document number harbours")
    assert len(found) == len(set(found))


@pytest.mark.parametrize("kind", ["huge", "unreadable", "pipe", "dangling"])
async def test_odd_files_fail_with_a_reason_and_stop_nothing(world: World, folder: Path, kind: str) -> None:
    odd = folder / "odd.txt"
    if kind == "huge":
        with odd.open("wb") as file:
            file.truncate(500 * 1024**2)
    elif kind == "unreadable":
        odd.write_text("x")
        odd.chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(folder / "nowhere.txt")
    outcomes = await ingest(world, folder)
    failed = next(outcome for outcome in outcomes if outcome.uri.endswith("odd.txt"))
    expected = {"huge": "too_large", "unreadable": "no_access", "pipe": "unreadable", "dangling": "not_found"}
    assert failed.error and failed.error.code == expected[kind]
    assert Counter(statuses(outcomes).values())["indexed"] == 3


async def test_a_path_that_does_not_exist_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="does not exist"):
        LocalSource(tmp_path / "nowhere", max_bytes=1)


async def test_an_embedder_that_is_away_fails_documents_and_not_the_run(world: World, folder: Path) -> None:
    class Away(HashEmbedder):
        async def embed_passages(self, texts):  # type: ignore[no-untyped-def]
            raise ModelUnavailable("The model server is away. Try again.")

    broken = replace(world.ingest, embedders=FixedEmbedders([Away()]))
    source = LocalSource(folder, max_bytes=10**7)
    outcomes = [outcome async for outcome in broken.ingester_for(world.principal).ingest_source("c", source)]
    assert {outcome.status.value for outcome in outcomes} == {"failed"}
    assert Counter(outcome.error.code for outcome in outcomes if outcome.error) == {
        "model_unavailable": 3,
        "corrupt": 1,
    }
    assert Counter(statuses(await ingest(world, folder)).values()) == {"indexed": 3, "failed": 1}


async def test_an_embedder_out_of_reach_changes_nothing(world: World, folder: Path) -> None:
    await ingest(world, folder)
    index = replace(world.ingest.index, embedder=HashEmbedder(32, "other").spec)
    other = replace(world.ingest, index=index, embedders=FixedEmbedders([HashEmbedder(32, "other")]))
    with pytest.raises(IndexMismatch):
        async for _ in other.ingester_for(world.principal).ingest_source("c", LocalSource(folder, max_bytes=10**7)):
            pass
    assert await texts(world, "harbour")


async def test_deleting_removes_the_original_bytes_unless_shared(world: World, folder: Path) -> None:
    (folder / "copy.txt").write_text("Bread is made of flour.")
    outcomes = await ingest(world, folder)
    await world.ingest.sweeper.sweep_blobs(0)  # those of files that could not be read
    by_name = {Path(outcome.uri).name: outcome.document_id or "" for outcome in outcomes}
    key = (await world.catalog.document(world.principal, by_name["b.txt"])).blob_key or ""
    await world.ingest.remover.delete_documents(world.principal, [by_name["b.txt"]])
    assert await world.ingest.sweeper.sweep_blobs(0) == 0
    async with world.blobs.local(key) as path:
        assert path.read_text() == "Bread is made of flour."
    await world.ingest.remover.delete_documents(world.principal, [by_name["copy.txt"]])
    assert await world.ingest.sweeper.sweep_blobs(3600) == 0  # somebody may be taking them up just now
    assert await world.ingest.sweeper.sweep_blobs(0) == 1
    assert not list((world.blobs.root / key[:2]).glob(key))


async def test_a_long_document_tells_how_it_gets_on(world: World, folder: Path) -> None:
    text = "\n\n".join(f"Paragraph {number} of the quay. " + "harbour bread iron quay " * 14 for number in range(90))
    (folder / "long.txt").write_text(text)
    source, heard, waits = LocalSource(folder / "long.txt", max_bytes=10**7), list[tuple[int, int | None]](), 0

    class Heard:
        async def __call__(self, done: int, total: int | None) -> None:
            heard.append((done, total))

        def waiting(self) -> AbstractContextManager[None]:
            nonlocal waits
            waits += 1
            return nullcontext()

    ingester = replace(world.ingest, batch_chunks=16).ingester_for(world.principal)
    outcome = await ingester.ingest_document("c", source, SourceEntry(source.uri), None, progress=Heard())
    assert heard == [(done, outcome.chunks) for done in range(16, outcome.chunks, 16)] and heard and waits == 2


def originals(world: World) -> list[str]:
    return [path.name for path in world.blobs.root.rglob("*") if path.is_file()]


async def test_the_original_of_what_could_not_be_read_does_not_stay_for_ever(world: World, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nonsense" * 100)
    (outcome,) = await ingest(world, folder / "bad.pdf")
    assert outcome.status.value == "failed" and originals(world)

    class Away:
        async def unused_blobs(self, keys: object) -> None:
            raise DatabaseUnavailable("The database is away for a moment.")

    with pytest.raises(DatabaseUnavailable):
        await replace(world.ingest, catalog=Away()).sweeper.sweep_blobs(0)  # type: ignore[arg-type]
    assert await world.ingest.sweeper.sweep_blobs(0) == 1 and not originals(world)


async def test_an_original_that_was_let_go_of_is_not_swept_while_it_is_read_again(
    world: World, folder: Path, pool: Pool
) -> None:
    (first,) = await ingest(world, folder / "a.md")
    await world.ingest.remover.delete_documents(world.principal, [first.document_id or ""])
    async with pool.connection() as connection:
        await connection.execute("UPDATE anchorage.forgotten_blobs SET since = now() - interval '61 minutes'")

    class Sweeping:
        def __getattr__(self, name: str) -> object:
            return getattr(world.ingest.parser, name)

        async def parse(self, path: Path, name: str, **more: object) -> ParsedDocument:
            assert await world.ingest.sweeper.sweep_blobs(3600) == 0
            return await world.ingest.parser.parse(path, name)

    source = LocalSource(folder / "a.md", max_bytes=10**7)
    reading = replace(world.ingest, parser=Sweeping())  # type: ignore[arg-type]
    (again,) = [item async for item in reading.ingester_for(world.principal).ingest_source("c", source)]
    key = (await world.catalog.document(world.principal, again.document_id or "")).blob_key or ""
    assert again.status.value == "indexed" and originals(world) == [key]
    assert await world.ingest.sweeper.sweep_blobs(3600) == 0 and originals(world) == [key]


async def test_an_upload_is_a_source_of_one_document(world: World, folder: Path) -> None:
    key = await world.blobs.put(folder / "a.md")
    await world.catalog.open_collection(world.principal, "c", world.ingest.index)
    for expected in ("indexed", "unchanged"):
        outcome = await ingest_upload(world.ingester, world.blobs, "c", "upload://c/a.md", "a.md", key)
        assert outcome.status.value == expected


async def test_every_character_is_found_under_its_offsets(world: World, folder: Path) -> None:
    book = "\n\n".join(
        f"CHAPTER {n}\n\n" + " ".join(f"Sentence {n}.{m} tells of Ghent." for m in range(40)) for n in range(1, 6)
    )
    (folder / "book.txt").write_text(book)
    (outcome,) = await ingest(world, folder / "book.txt")
    text = (await world.catalog.text(world.principal, outcome.document_id or "")).text
    ranking, _ = await retrieve(world.chat, world.principal, "Sentence 3.7 of Ghent", ["c"])
    assert ranking.hits
    for hit in ranking.hits:
        assert text[hit.start : hit.end] == hit.text


async def test_a_run_that_ends_early_does_not_hang_on_what_was_prepared(world: World, tmp_path: Path) -> None:
    """More documents than are prepared ahead, and a store that breaks: the error comes out, and nothing stays behind."""
    for number in range(150):
        (tmp_path / f"n{number}.txt").write_text(f"Document {number}.")

    class Broken:
        def __getattr__(self, name: str) -> object:
            return getattr(world.catalog, name)

        async def replace(self, *_: object, **__: object) -> None:
            await asyncio.sleep(0.5)  # meanwhile the queue fills up
            raise NotAllowed("The collection belongs to somebody else.")

    broken = replace(world.ingest, catalog=Broken())  # type: ignore[arg-type]
    before = asyncio.all_tasks()
    async with asyncio.timeout(20):
        with pytest.raises(NotAllowed):
            async for _ in broken.ingester_for(world.principal).ingest_source(
                "c", LocalSource(tmp_path, max_bytes=10**7)
            ):
                pass
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


async def test_what_is_only_not_listed_stays(world: World, folder: Path) -> None:
    await ingest(world, folder / ".hidden.txt")
    assert "deleted" not in statuses(await ingest(world, folder)).values()
    (folder / ".hidden.txt").unlink()
    assert statuses(await ingest(world, folder))[".hidden.txt"] == "deleted"


async def test_names_in_another_encoding(world: World, folder: Path) -> None:
    for name, content in ((b"caf\xe9.md", b"Coffee is brewed."), (b"leer\xe9.txt", b"")):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    outcomes = await ingest(world, folder)
    assert Counter(statuses(outcomes).values()) == {"indexed": 4, "failed": 2}
    assert "Coffee is brewed." in await texts(world, "coffee brewed")
    assert Counter(statuses(await ingest(world, folder)).values()) == {"unchanged": 4, "failed": 2}


async def test_bytes_that_moved_to_another_file_stay(world: World, folder: Path) -> None:
    await ingest(world, folder / "a.md")
    content = (folder / "a.md").read_bytes()
    (folder / "z.md").write_bytes(content)
    (folder / "a.md").write_text("# Harbour\n\nAnother text.")
    await ingest(replace_batches(world), folder)
    for document in await world.catalog.documents(world.principal, collection="c"):
        if document.uri.endswith("z.md"):
            async with world.blobs.local(document.blob_key or "") as path:
                assert path.read_bytes() == content


def replace_batches(world: World) -> World:
    return replace(world, ingest=replace(world.ingest, batch_chunks=1))


async def test_a_folder_that_became_a_file_takes_its_documents_along(world: World, folder: Path) -> None:
    await ingest(world, folder)
    (folder / "sub" / "b.txt").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").write_text("Now a file.")
    assert statuses(await ingest(world, folder))["b.txt"] == "deleted"


async def test_a_text_that_the_model_refuses_fails_alone(world: World, folder: Path) -> None:
    class Picky(HashEmbedder):
        async def embed_passages(self, texts):  # type: ignore[no-untyped-def]
            if any("Bread" in text for text in texts):
                raise ModelError("The model refused a text.")
            return await super().embed_passages(texts)

    source = LocalSource(folder, max_bytes=10**7)
    outcomes = [
        item
        async for item in replace(world.ingest, embedders=FixedEmbedders([Picky()]))
        .ingester_for(world.principal)
        .ingest_source("c", source)
    ]
    failed = {Path(item.uri).name: item.error.code for item in outcomes if item.error}
    assert failed == {"b.txt": "model_error", "bad.pdf": "corrupt"}


class Counting(HashEmbedder):
    """Counts the passages that it is asked for."""

    asked = 0

    async def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        type(self).asked += len(texts)
        return await super().embed_passages(texts)


async def test_an_edit_embeds_only_what_it_touched(world: World, folder: Path) -> None:
    sections = [f"## Part {n}\n\n" + " ".join(f"Sentence {n}.{m} tells of Ghent." for m in range(9)) for n in range(40)]
    (folder / "book.md").write_text("# Book\n\n" + "\n\n".join(sections))
    await ingest(world, folder / "book.md")
    ids = await chunk_ids(world)
    Counting.asked = 0
    sections[20] = sections[20].replace("Ghent", "Antwerp", 1)
    (folder / "book.md").write_text("# Book\n\n" + "\n\n".join(sections))
    counting = replace(world, ingest=replace(world.ingest, embedders=FixedEmbedders([Counting()])))
    (outcome,) = await ingest(counting, folder / "book.md")
    assert outcome.status.value == "indexed" and 1 <= Counting.asked <= 2
    assert len(await chunk_ids(world) & ids) == len(ids) - Counting.asked
    text = (await world.catalog.text(world.principal, outcome.document_id or "")).text
    for question in ("Sentence 20.0 tells of Antwerp", "Sentence 39.8 tells of Ghent"):
        ranking, _ = await retrieve(world.chat, world.principal, question, ["c"])
        assert question in ranking.hits[0].text
        assert all(text[hit.start : hit.end] == hit.text for hit in ranking.hits)
    assert not any("Sentence 20.0 tells of Ghent" in found for found in await texts(world, "Sentence 20.0 Ghent"))


async def chunk_ids(world: World) -> set[str]:
    ranking, _ = await retrieve(
        replace(world.chat, limits=replace(world.chat.limits, k=100)), world.principal, "Ghent", ["c"]
    )
    return {hit.chunk_id for hit in ranking.hits}


async def test_a_file_with_the_same_tag_is_not_read_again(world: World, folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    await ingest(world, folder / "a.md")
    stored = (await world.catalog.versions(world.principal, "c", [(folder / "a.md").as_uri()])).popitem()[1]
    assert stored.tag is None  # its change time is of this moment: another write might not show

    class Settled(LocalSource):
        async def list(self) -> AsyncIterator[SourceEntry]:
            async for entry in super().list():
                yield replace(entry, tag="seen")

        @asynccontextmanager
        async def fetch(self, uri: str) -> AsyncIterator[SourceItem]:
            fetched.append(uri)
            async with super().fetch(uri) as item:
                yield replace(item, tag="seen")

    fetched: list[str] = []
    for expected in ("unchanged", "unchanged"):
        source = Settled(folder / "a.md", max_bytes=10**6)
        (outcome,) = [item async for item in world.ingester.ingest_source("c", source)]
        assert outcome.status.value == expected
    assert len(fetched) == 1


async def test_a_file_that_changes_while_it_is_read_is_not_indexed_half(world: World, folder: Path) -> None:
    source = LocalSource(folder / "a.md", max_bytes=10**6)
    with pytest.raises(Unavailable, match="changed while it was read"):
        async with source.fetch(source.uri):
            (folder / "a.md").write_text("# Harbour\n\nMore than there was before.")


async def test_every_file_of_a_large_folder_is_listed(tmp_path: Path) -> None:
    for number in range(1203):
        (tmp_path / f"{number}.txt").touch()
    listed = [entry.uri async for entry in LocalSource(tmp_path, max_bytes=10).list()]
    assert len(listed) == len(set(listed)) == 1203


async def test_a_protected_file_is_opened_by_a_password_of_the_settings(world: World, tmp_path: Path) -> None:
    class Locked:
        """Parses what is not protected, and what is with its password."""

        tried: ClassVar[list[str | None]] = []

        def __getattr__(self, name: str) -> object:
            return getattr(world.ingest.parser, name)

        async def parse(self, path: Path, name: str, *, password: str | None = None) -> ParsedDocument:
            self.tried.append(password)
            if password != "sesame":
                raise DocumentRefused("encrypted", f"{name} is protected by a password.")
            return await world.ingest.parser.parse(path, name)

    (tmp_path / "a.txt").write_text("The treasure is in the cave.")
    source = LocalSource(tmp_path / "a.txt", max_bytes=100)
    passwords = {"wrong": "open", "right": "sesame"}
    locked = replace(world.ingest, parser=Locked(), passwords=passwords)  # type: ignore[arg-type]
    assert "sesame" not in repr(locked)
    ingester = locked.ingester_for(world.principal)
    entry = SourceEntry(source.uri, "tag")
    refused = await ingester.ingest_document("c", source, entry, None, password="wrong")
    assert refused.error and refused.error.code == "encrypted" and Locked.tried == [None, "open"]
    known = (await world.catalog.versions(world.principal, "c", [source.uri]))[source.uri]
    assert not locked.file_parser.has_read(entry, known)  # another password may come
    assert (await ingester.ingest_document("c", source, entry, known)).status.value == "indexed"


async def test_the_bytes_of_replaced_versions_and_of_needed_uploads(world: World, folder: Path) -> None:
    for number in range(3):
        (folder / "a.md").write_text(f"Version {number}.")
        await ingest(world, folder / "a.md")
    assert await world.ingest.sweeper.sweep_blobs(0) == 2
    (outcome,) = await ingest(world, folder / "a.md")
    key = (await world.catalog.document(world.principal, outcome.document_id or "")).blob_key or ""
    await world.ingest.queue.add(world.principal, [upload_job(world.principal, "c", "upload://c/z.md", "z.md", key)])
    await world.ingest.remover.delete_documents(world.principal, [outcome.document_id or ""])
    assert await world.ingest.sweeper.sweep_blobs(0) == 0
    async with world.blobs.local(key) as path:
        assert path.read_text() == "Version 2."


async def test_a_document_that_is_deleted_while_it_is_ingested_anew_is_new(world: World, folder: Path) -> None:
    (outcome,) = await ingest(world, folder / "a.md")
    source = LocalSource(folder / "a.md", max_bytes=10**6)
    known = (await world.catalog.versions(world.principal, "c", [source.uri]))[source.uri]
    for content in ("# Harbour\n\nThe harbour of Ghent opened in 1827.", "# Harbour\n\nAnother."):
        (folder / "a.md").write_text(content)
        await world.ingest.remover.delete_documents(world.principal, [outcome.document_id or ""])
        outcome = await world.ingester.ingest_document("c", source, SourceEntry(source.uri), known)
        assert outcome.status.value == "indexed", outcome
