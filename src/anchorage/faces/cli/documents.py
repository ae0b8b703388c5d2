"""documents list, show, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from anchorage.errors import BadRequest, NotFound
from anchorage.faces.cli.connection import open_api
from anchorage.faces.cli.options import Collection, Data, Json
from anchorage.faces.cli.output import console, print_json, print_table
from anchorage.faces.shapes import document_json, format_document_with_text
from anchorage.model import Document

app = typer.Typer(no_args_is_help=True, help="See and delete documents.")
_REASON = 100


@app.command(name="list")
def list_documents(collection: Collection = None, data: Data = None, json: Json = False) -> None:
    """All documents with their status, and the reason where one failed."""

    async def run() -> Sequence[Document]:
        async with open_api(data) as api:
            return await api.documents.list(collection=collection)

    found = asyncio.run(run())
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

    async def run() -> dict[str, Any]:
        async with open_api(data) as api:
            return format_document_with_text(*await api.documents.show(document_id))

    found = asyncio.run(run())
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
    if bool(document_ids) == everything or everything != (collection is not None):
        raise BadRequest("Name the documents by their ids, or all of a collection with `--collection NAME --all`.")

    async def run() -> Sequence[str]:
        async with open_api(data) as api:
            if collection is not None:
                return await api.documents.delete_all(collection)
            return await api.documents.delete(*document_ids or ())

    deleted = asyncio.run(run())
    if not deleted and not everything:
        raise NotFound("None of these documents exists any more.")
    if json:
        print_json({"deleted": list(deleted)})
    else:
        console().print(f"{len(deleted)} documents deleted.")
