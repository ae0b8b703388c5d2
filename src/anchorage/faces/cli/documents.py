"""documents list, show, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anchorage import wiring
from anchorage.errors import BadRequest, NotFound
from anchorage.faces.cli.options import Collection, Data, Json, settings_for
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import document_json, read_document_with_text
from anchorage.model import Document
from anchorage.settings import Settings

if TYPE_CHECKING:
    from anchorage.wiring import Storage

app = typer.Typer(no_args_is_help=True, help="See and delete documents.")
_PAGE = 1000
_REASON = 100


async def _all(storage: Storage, collection: str | None) -> list[Document]:
    found: list[Document] = []
    after: tuple[str, str] | None = None
    while page := await storage.store.documents(storage.principal, collection=collection, limit=_PAGE, after=after):
        found += page
        after = page[-1].collection, page[-1].uri
    return found


@app.command(name="list")
def list_documents(collection: Collection = None, data: Data = None, json: Json = False) -> None:
    """All documents with their status, and the reason where one failed."""

    async def run(settings: Settings) -> list[Document]:
        async with wiring.open_storage(settings) as storage:
            return await _all(storage, collection)

    found = asyncio.run(run(settings_for(data)))
    if json:
        print_json({"documents": [document_json(document) for document in found]})
    elif not found:
        console().print("No documents yet. Add some with `anchorage ingest FOLDER`.")
    else:
        print_table(
            ("ID", "STATUS", "PASSAGES", "COLLECTION", "TITLE", "URI OR REASON"),
            [
                (item.id, item.status.value, item.chunks, item.collection, item.title[:40],
                 item.error.message[:_REASON] if item.error else item.uri)
                for item in found
            ],
        )  # fmt: skip


@app.command()
def show(document_id: Annotated[str, typer.Argument(metavar="ID")], data: Data = None, json: Json = False) -> None:
    """A document with its pages and extracted text."""

    async def run(settings: Settings) -> dict[str, Any]:
        async with wiring.open_storage(settings) as storage:
            return await read_document_with_text(storage.store, storage.principal, document_id)

    found = asyncio.run(run(settings_for(data)))
    if json:
        print_json(found)
        return
    out = console()
    for key in ("title", "uri", "collection", "status", "version", "chunks"):
        out.print(f"{key + ':':<12} {found[key]}", markup=False)
    if found["error"]:
        out.print(f"{'error:':<12} {found['error']['message']}", markup=False)
    out.print(f"{'pages:':<12} {len(found['pages']) or 'none'}\n\n{found['text'] or ''}", markup=False)


@app.command()
def delete(
    document_ids: Annotated[list[str] | None, typer.Argument(metavar="ID...")] = None,
    collection: Collection = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All documents of the collection that --collection names.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Remove documents from every answer at once, with their original bytes."""
    from anchorage.ingest.removal import delete_by_hand

    if bool(document_ids) == everything or everything != (collection is not None):
        raise BadRequest("Name the documents by their ids, or all of a collection with `--collection NAME --all`.")

    async def run(settings: Settings) -> list[str]:
        async with wiring.open_storage(settings) as storage:
            if everything:
                found = await _all(storage, collection)
            else:  # all are looked up before one is deleted
                found = [await storage.store.document(storage.principal, item) for item in document_ids or ()]
            return list(await delete_by_hand(storage, storage.principal, found))

    deleted = asyncio.run(run(settings_for(data)))
    if not deleted and not everything:
        raise NotFound("None of these documents exists any more.")
    if json:
        print_json({"deleted": deleted})
    else:
        console().print(f"{len(deleted)} documents deleted.")
