"""Queue: durable work for any worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from anchorage.model import Failure, Job, Principal


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to queue. Jobs of a higher `priority` go first; those of one `lane` share what one source may take at once."""

    kind: str
    collection: str
    uri: str
    name: str
    lane: str
    priority: int = 0
    blob_key: str | None = None
    source_id: str | None = None
    tag: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended; an error that is temporary has it tried again later."""

    document_id: str | None = None
    error: Failure | None = None


DELETED = "deleted"
"""The code of an upload that was ended since its document was deleted."""


class Progress(Protocol):
    """Hears how a job gets on: what is heard of is not stuck, and its time begins anew."""

    async def __call__(self, done: int, total: int | None) -> None:
        """So much is done, of so much (None when that is not known)."""
        ...

    def waiting(self) -> AbstractContextManager[None]:
        """Inside, the job waits for others, or for what has limits of its own: that is not its time."""
        ...


class _Unwatched:
    async def __call__(self, done: int, total: int | None) -> None:
        pass

    def waiting(self) -> AbstractContextManager[None]:
        return nullcontext()


UNWATCHED: Progress = _Unwatched()
"""For work that no job stands for."""
Run = Callable[[Job, Progress], Awaitable[JobResult]]


class Queue(Protocol):
    """Jobs survive restarts of everything, and reach a worker again when the one that had them dies."""

    async def add(self, principal: Principal, jobs: Sequence[NewJob]) -> Sequence[str]:
        """Queue jobs, all or none; returns their ids. One that waits already for the same item of a source takes the new one in."""
        ...

    async def jobs(
        self, principal: Principal, *, status: str | None = None, source_id: str | None = None,
        changed_after: datetime | None = None, limit: int = 100,
    ) -> Sequence[Job]:  # fmt: skip
        """The newest first; with `changed_after` those that changed since, the earliest change first."""
        ...

    async def job(self, principal: Principal, job_id: str) -> Job:
        """Raises `NotFound`."""
        ...

    async def counts(self, principal: Principal) -> Mapping[str, int]:
        """How many jobs there are of each status."""
        ...

    async def oldest(self) -> float:
        """Seconds that the oldest of all jobs that are due has waited for a worker; 0 when none does."""
        ...

    async def retry(self, principal: Principal, job_id: str) -> Job:
        """Queue a failed or cancelled job anew. Raises `NotFound`, `Conflict`."""
        ...

    async def cancel(self, principal: Principal, job_id: str) -> Job:
        """End a job that has not ended yet. Raises `NotFound`, `Conflict`."""
        ...

    async def cancel_uploads(self, principal: Principal, documents: Sequence[tuple[str, str]]) -> None:
        """End the uploads of these (collection, uri) that have not ended, with the code `DELETED`. One that runs may be stored all the
        same, and whoever ran it sees that code then.
        """
        ...

    async def blobs_in_use(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose bytes a job still needs."""
        ...

    async def forget_blobs(self, keys: Sequence[str]) -> None:
        """Note that something has let go of these bytes; `sweep` names them when their time has come."""
        ...

    async def sweep(self, grace: float) -> Sequence[str]:
        """Forget jobs that ended long ago; returns the keys of bytes that were let go of more than `grace` seconds ago."""
        ...

    async def swept(self, keys: Sequence[str], grace: float) -> None:
        """These are dealt with: `sweep` names them no more, but for those that were let go of again within `grace` seconds."""
        ...

    async def cancel_source(self, source_id: str) -> int:
        """End the waiting jobs of a source; returns how many are running still."""
        ...

    async def work(self, run: Run, *, concurrency: int) -> None:
        """Take and run jobs until cancelled; a running job is finished or given back."""
        ...
