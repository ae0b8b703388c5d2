"""Reads one file of any kind; whatever a library raises becomes a refusal."""

from __future__ import annotations

import gc
from io import BytesIO
from typing import Any, BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder
from anchorage.adapters.parsers.kinds import identify_kind, load_parser
from anchorage.adapters.parsers.task import Task
from anchorage.errors import AnchorageError, DocumentRefused
from anchorage.model import BlockKind, ParsedDocument


def read_file(file: BinaryIO, name: str, task: Task) -> tuple[str, ParsedDocument]:
    """The file's kind and document. Raises `DocumentRefused` or `UnknownFormat`, and nothing else."""
    try:
        kind, file = identify_kind(file, name, task.password)
        file.seek(0)
        return kind, load_parser(kind)(file, name, task)
    except AnchorageError:
        raise
    except MemoryError as error:
        gc.collect()
        raise DocumentRefused(
            "too_complex", f"{name} needs more memory to be read than it may take (ANCHORAGE_INGEST__PARSE_MEMORY_BYTES). "
            "Split it, or raise the limit.",
        ) from error  # fmt: skip
    except RecursionError as error:
        raise DocumentRefused("too_complex", f"{name} is nested too deeply to be read. Simplify it.") from error
    except Exception as error:  # libraries raise anything on broken files; the file is what is at fault
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: reading it failed ({type(error).__name__}). Save it again."
        ) from error


class Members:
    """Reads the files within a file into its document: each a heading with its name, then its content.

    One that cannot be read is noted in `skipped` and does not spoil the others.
    """

    def __init__(self, builder: DocumentBuilder, task: Task) -> None:
        self._builder = builder
        self._task = task
        self.skipped: list[dict[str, str]] = []
        self.last: AnchorageError | None = None

    def add(self, name: str, data: bytes, *, level: int = 1, counted: bool = False) -> None:
        """Append a member. `counted`: its size was taken from the allowance already."""
        if not data.strip():
            return
        try:
            inner = self._task.inner(name)
            if not counted:
                inner.allowance.take(name, len(data))
            _, document = read_file(BytesIO(data), name, inner)
        except AnchorageError as error:
            self.skip(name, error)
            return
        self._builder.add(BlockKind.HEADING, name, level)
        self._builder.append(document, level)
        for note in document.metadata.get("skipped", ()):
            self.skipped.append({"name": f"{name}/{note['name']}", "reason": note["reason"]})

    def skip(self, name: str, error: AnchorageError) -> None:
        """Note that a member was not read."""
        self.last = error
        self.skipped.append({"name": name, "reason": error.message})

    def refusal_of_all(self, name: str) -> DocumentRefused:
        """The refusal of a file in which nothing could be read: the reason is that of its last member."""
        assert self.last
        count = len(self.skipped)
        return DocumentRefused(
            self.last.code, f"{name} holds {count} file(s), and none could be read. The last one: {self.last.message}"
        )

    def metadata(self) -> dict[str, Any]:
        """What to add to the document's metadata."""
        return {"skipped": self.skipped} if self.skipped else {}
