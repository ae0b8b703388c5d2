"""Work that waits: jobs, and the registered sources that bring them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anchorage.model.documents import Failure


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of queued work. `kind` is ingest or sync; `status` is queued, running, done, failed or cancelled."""

    id: str
    kind: str
    status: str
    collection: str
    uri: str
    name: str
    owner: str
    blob_key: str | None = None
    source_id: str | None = None
    tag: str | None = None
    confirmed: bool = False
    attempts: int = 0
    done: int | None = None
    total: int | None = None
    document_id: str | None = None
    error: Failure | None = None
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RegisteredSource:
    """A source that is kept in sync, every `interval` seconds or on demand (None).

    `status` is new, syncing, synced, held or failed; `report` says what the last sync found, `failed` how many of its documents could
    not be read when that was last tried.
    """

    id: str
    owner: str
    collection: str
    location: str
    options: Mapping[str, Any]
    interval: int | None
    status: str
    error: Failure | None
    report: Mapping[str, Any]
    synced_at: datetime | None
    next_sync_at: datetime | None
    failed: int = 0
