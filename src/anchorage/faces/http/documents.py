"""Documents: upload, list, show, delete, original bytes."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.datastructures import FormData, UploadFile

from anchorage.chat.safety.question import strip_unstorable_characters
from anchorage.errors import BadRequest, NotFound, TooLarge, Unavailable
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import (
    Chunks,
    Collections,
    Deleted,
    Documents,
    DocumentStatus,
    DocumentWithText,
    Queued,
)
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.paging import read_document_page
from anchorage.faces.shapes import detailed_document_json, format_document_with_text, read_document
from anchorage.ingest.jobs.upload import upload_job
from anchorage.model import DEFAULT_COLLECTION, Block, BlockKind, Principal
from anchorage.ports.queue import NewJob
from anchorage.wiring.services import Services

router = APIRouter(prefix="/api")
_PIECE = 1024**2
_NAME_LIMIT = 255
_MAX_FOLDERS = 16
_UNUSABLE_NAME = re.compile(r"[\x00-\x1f]|(^|/)\.{1,2}(/|$)")
_PAGE = 1000
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "collection": {"type": "string", "default": DEFAULT_COLLECTION},
                    },
                }
            }
        },
    }
}


@router.post(
    "/documents", status_code=202, summary="Upload documents", openapi_extra=_FORM, **describe_answer(Queued, 202)
)
async def upload(
    request: Request, services: CurrentServices, principal: CurrentPrincipal, collection: str | None = None,
    paths: Annotated[bool, Query(description="keep the folders in the files' names; else only the last part counts")] = False,
) -> dict[str, Any]:  # fmt: skip
    """Keep the files and queue them for ingestion. Files of the same name replace each other."""
    async with _receive_form(request, services) as form:
        named = form.get("collection")
        target = collection or (named if isinstance(named, str) and named else DEFAULT_COLLECTION)
        files = [item for item in form.getlist("files") if isinstance(item, UploadFile)]
        if not files:
            raise BadRequest("No files came. Send them as multipart/form-data in the field `files`.")
        names = [_check_name(file, paths=paths) for file in files]
        for file in files:
            _check_size(file, services)
        await services.ingest.indexes.open(principal, target)
        jobs = [
            await _keep_file(services, principal, target, name, file) for name, file in zip(names, files, strict=True)
        ]
    ids = await services.storage.queue.add(principal, jobs)
    queued = [
        {"uri": job.uri, "document_id": None, "status": "queued", "chunks": 0, "error": None, "job_id": job_id}
        for job, job_id in zip(jobs, ids, strict=True)
    ]
    return {"job_ids": ids, "documents": queued}


@asynccontextmanager
async def _receive_form(request: Request, services: Services) -> AsyncIterator[FormData]:
    """Receive the form with its files, large ones in the folder for temporary files. Raises `Unavailable` when that is full."""
    limits = services.settings.http
    try:
        form = await request.form(max_files=limits.max_upload_files, max_fields=10)
    except OSError as error:
        raise Unavailable(
            f"The upload could not be kept in the server's folder for temporary files: {error.strerror}. Free space there, or name "
            "another folder with TMPDIR, then upload it again."
        ) from error
    try:
        yield form
    finally:
        await form.close()


def _check_name(file: UploadFile, *, paths: bool) -> str:
    path = PurePosixPath((file.filename or "").replace("\\", "/"))
    name = "/".join(path.parts[-_MAX_FOLDERS:]).lstrip("/") if paths else path.name.strip()
    if (
        not path.name.strip()
        or _UNUSABLE_NAME.search(name)
        or any(len(part.encode()) > _NAME_LIMIT for part in path.parts)
    ):
        raise BadRequest(
            f"A file came without a usable name ({name[:60]!r}). Give each a name of 1 to {_NAME_LIMIT} bytes."
        )
    return name


def _check_size(file: UploadFile, services: Services) -> None:
    limit = services.settings.ingest.max_file_bytes
    if (file.size or 0) > limit:
        raise TooLarge(
            f"{file.filename} has {file.size} bytes; at most {limit} are read (ANCHORAGE_INGEST__MAX_FILE_BYTES). Split it, or "
            "raise the limit."
        )


async def _keep_file(services: Services, principal: Principal, collection: str, name: str, file: UploadFile) -> NewJob:
    """Store the file's bytes; returns the job that will ingest them."""
    uri = f"upload://{quote(collection, safe='')}/{quote(name, safe='/')}"
    folder = services.settings.data.dir / "uploads"
    try:
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as target:
            while piece := await file.read(_PIECE):
                await asyncio.to_thread(target.write, piece)
            await asyncio.to_thread(target.flush)
            key = await services.storage.blobs.put(Path(target.name))
    except OSError as error:
        raise Unavailable(
            f"{name} could not be kept: {error.strerror}. Free space in the data directory of the server, then upload it again."
        ) from error
    return upload_job(principal, collection, uri, name, key)


@router.get("/collections", summary="List collections", **describe_answer(Collections))
async def collections(services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """The collections that you may read, by name."""
    found = await services.storage.catalog.collections(principal)
    return {"collections": [{"name": item.name, "documents": item.documents, "chunks": item.chunks} for item in found]}


@router.get("/documents", summary="List documents", **describe_answer(Documents))
async def documents(
    services: CurrentServices, principal: CurrentPrincipal, collection: str | None = None,
    limit: int = Query(_PAGE, ge=1, le=10_000), after: str | None = None, status: DocumentStatus | None = None,
    q: Annotated[str, Query(max_length=_NAME_LIMIT, description="what title or uri holds")] = "",
) -> dict[str, Any]:  # fmt: skip
    """Documents by collection and uri. `after` is the `next` of the page before."""
    page, following = await read_document_page(
        services.storage.catalog, principal, collection=collection, limit=limit, after=after, status=status,
        matching=strip_unstorable_characters(q).strip(),
    )  # fmt: skip
    return {"documents": [detailed_document_json(item) for item in page], "next": following}


@router.get("/documents/{document_id}", summary="Show a document", **describe_answer(DocumentWithText))
async def document(
    document_id: str, services: CurrentServices, principal: CurrentPrincipal, version: str | None = None
) -> dict[str, Any]:
    """A document with its pages, its extracted text and the blocks of that; with `version`, those of a version that was cited."""
    catalog = services.storage.catalog
    found, text = await read_document(catalog, principal, document_id, version)
    blocks: Sequence[Block] = ()
    if text is not None:
        key = (text.document_id, text.version)
        blocks = (await catalog.structures(principal, [key])).get(key, ())
    shown = [asdict(block) for block in blocks if block.kind is not BlockKind.PARAGRAPH]
    return {**format_document_with_text(found, text), "blocks": shown}


@router.get("/documents/{document_id}/chunks", summary="List a document's passages", **describe_answer(Chunks))
async def chunks(
    document_id: str, services: CurrentServices, principal: CurrentPrincipal,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="the `next` of the page before")] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:  # fmt: skip
    """The passages that a document was cut into, in order."""
    found = await services.storage.catalog.chunks(principal, document_id, after=after, limit=limit + 1)
    page = found[:limit]
    return {
        "chunks": [{"chunk_id": key, **asdict(chunk)} for key, chunk in page],
        "next": page[-1][1].ordinal if len(found) > limit else None,
    }


@router.get("/documents/{document_id}/content", summary="Download a document", response_model=None)
async def content(
    document_id: str,
    services: CurrentServices,
    principal: CurrentPrincipal,
    format: str = "original",  # noqa: A002
) -> Response:
    """The original bytes, or with `format=text` the extracted text that offsets refer to."""
    if format == "text":
        text = await services.storage.catalog.text(principal, document_id)
        return PlainTextResponse(text.text)
    if format != "original":
        raise BadRequest(f"There is no format {format[:40]!r}: take `original` or `text`.")
    found = await services.storage.catalog.document(principal, document_id)
    if not found.blob_key:
        raise NotFound("The original bytes of this document were not kept. Ingest it again to keep them.")
    name = found.uri.rsplit("/", 1)[-1]
    pieces = services.storage.blobs.read(found.blob_key)
    first = await anext(aiter(pieces), b"")  # what is missing fails here, with a status of its own

    async def body() -> Any:
        yield first
        async for piece in pieces:
            yield piece

    # Always a download: a page from an upload must not run as one of ours.
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Security-Policy": "sandbox"}
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return StreamingResponse(body(), media_type=kind, headers=headers)


@router.delete("/documents/{document_id}", status_code=204, summary="Delete a document")
async def delete(document_id: str, services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """Remove it from every answer at once, with its original bytes."""
    storage = services.storage
    if not await storage.remover.delete_by_hand(principal, [await storage.catalog.document(principal, document_id)]):
        raise NotFound(f"No document {document_id[:80]!r} that you may read. GET /api/documents lists them.")
    return Response(status_code=204)


@router.delete("/documents", summary="Delete all documents of a collection", **describe_answer(Deleted))
async def delete_all(collection: str, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """Remove every document of one collection."""
    storage = services.storage
    deleted: list[str] = []
    while found := await storage.catalog.documents(principal, collection=collection, limit=_PAGE):
        deleted += await storage.remover.delete_by_hand(principal, found)
    return {"deleted": deleted}
