"""Ingestion over HTTP: files are uploaded, and a worker of the server indexes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from anchorage.client.resources import Documents, Jobs
from anchorage.client.transport import Transport
from anchorage.errors import BadRequest, NotFound
from anchorage.model import DocumentStatus, Failure, Job, Outcome

_FILES_AT_ONCE = 20
_BYTES_AT_ONCE = 64 * 1024**2  # a request is sent with fewer files once it is so large
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ENDED = ("done", "failed", "cancelled")
Named = tuple[str, Path]


def find_files(places: Sequence[str | Path]) -> list[Named]:
    """The files at these places with the names that they get: those below a folder keep their path in it. Raises `BadRequest`."""
    found: list[Named] = []
    for place in places:
        if "://" in str(place):
            raise BadRequest(
                f"{place}: only files and folders are sent to a server. Let it read other places itself: sources.add({str(place)!r})."
            )
        path = Path(place).expanduser()
        if path.is_dir():
            below = sorted(item for item in path.rglob("*") if item.is_file())
            found += [(item.relative_to(path).as_posix(), item) for item in below if not _is_hidden(item, path)]
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise BadRequest(f"There is no file or folder {str(place)!r}.")
    return found


def _is_hidden(item: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in item.relative_to(folder).parts)


def batches(files: Sequence[Named]) -> Iterator[Sequence[Named]]:
    """As many as go into one request."""
    batch: list[Named] = []
    size = 0
    for name, path in files:
        length = path.stat().st_size
        if batch and (len(batch) == _FILES_AT_ONCE or size + length > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append((name, path))
        size += length
    if batch:
        yield batch


async def upload_files(transport: Transport, files: Sequence[Named], collection: str) -> Sequence[tuple[str, str]]:
    """Send files; returns the uri of each and the job that ingests it. Not tried again when it breaks off: its jobs may be queued."""
    with ExitStack() as stack:

        def open_files() -> list[tuple[str, tuple[str, Any]]]:
            stack.close()
            return [("files", (name, stack.enter_context(path.open("rb")))) for name, path in files]

        try:
            response = await transport.send(
                "POST", "/api/documents", params={"collection": collection, "paths": True}, files=open_files
            )
        except OSError as error:
            raise BadRequest(f"{error.filename} cannot be read: {error.strerror}.") from error
    return [(item["uri"], item["job_id"]) for item in response.json()["documents"]]


async def wait_for(jobs: Jobs, documents: Documents, uri: str, job_id: str) -> Outcome:
    """What became of an upload, when its job has ended."""
    pause = _FIRST_PAUSE
    while True:
        try:
            job = await jobs.show(job_id)
        except NotFound:
            return Outcome(uri, None, DocumentStatus.FAILED, error=Failure("gone", f"The job of {uri} was removed."))
        if job.status in _ENDED:
            return await _outcome(documents, uri, job)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


async def _outcome(documents: Documents, uri: str, job: Job) -> Outcome:
    if job.status == "cancelled" or job.error or not job.document_id:
        error = job.error or Failure(job.status, f"The job of {uri} ended as {job.status}.")
        return Outcome(uri, job.document_id, DocumentStatus.FAILED, error=error)
    try:
        document, _ = await documents.show(job.document_id)
    except NotFound:
        return Outcome(uri, job.document_id, DocumentStatus.DELETED)
    return Outcome(uri, document.id, document.status, document.chunks, document.error)
