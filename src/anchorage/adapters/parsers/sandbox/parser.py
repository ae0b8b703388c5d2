"""Parses in processes of their own, so that a hostile file kills its sandbox and nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anchorage.adapters.parsers.kinds import PARSERS_VERSION, supports
from anchorage.errors import DocumentRefused, UnknownFormat
from anchorage.model import Block, BlockKind, Page, ParsedDocument

_RECYCLE = 200  # files a process reads before a fresh one takes over
_REPLY_LIMIT = 1024**3
_LITTLE = 64 * 1024  # bytes of a reply that are read within a millisecond
_SIZE = "size"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one file may take: seconds, bytes of memory, characters of text; and how text in pictures is recognised."""

    seconds: float
    memory: int
    chars: int
    ocr_language: str = "eng"
    ocr_seconds: float = 1800  # for a file in which text must be recognised, all its pages together
    ocr_page_seconds: float = 60
    ocr_data: str | None = None


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    served: int = 0


class SandboxedParser:
    """Implements the `Parser` port for all kinds. Build with `open_sandboxed_parser`."""

    def __init__(self, limits: ParseLimits, processes: int, environment: Mapping[str, str]) -> None:
        self._limits = limits
        # Tesseract is faster with one thread, and leaves the other cores to others.
        self._environment = {**environment, "OMP_THREAD_LIMIT": "1"}
        self._free: list[_Child] = []
        self._slots = asyncio.Semaphore(processes)

    @property
    def version(self) -> str:
        return PARSERS_VERSION

    def supports(self, name: str) -> bool:
        return supports(name)

    async def parse(self, path: Path, name: str, *, password: str | None = None) -> ParsedDocument:
        limits = self._limits
        request = {
            "path": str(path.absolute()), "name": name, "password": password, "limit": limits.chars,
            "ocr": {"language": limits.ocr_language, "page_seconds": limits.ocr_page_seconds, "data": limits.ocr_data},
        }  # fmt: skip
        async with self._slots:
            child = await self._take_child()
            try:
                reply = await self._send_and_receive(child, request, name)
            except BaseException:
                await _kill_child(child)
                raise
            child.served += 1
            # A file that was refused may have left a mess behind.
            if child.served >= _RECYCLE or "document" not in reply:
                await _kill_child(child)
            else:
                self._free.append(child)
        return await _keep_loop_free(_read_reply, reply, reply.pop(_SIZE))

    async def _take_child(self) -> _Child:
        while self._free:
            child = self._free.pop()
            if child.process.returncode is None:
                return child
            await _kill_child(child)  # it died while it was idle: no file's fault
        return await self._spawn_child()

    async def _spawn_child(self) -> _Child:
        # In a session of its own, so that Ctrl+C is for us alone, who let it end what it reads.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "anchorage.adapters.parsers.sandbox.child", str(self._limits.memory),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=self._environment, limit=1024**2, start_new_session=True,
        )  # fmt: skip
        return _Child(process)

    async def _send_and_receive(self, child: _Child, request: dict[str, Any], name: str) -> dict[str, Any]:
        stdin, stdout = child.process.stdin, child.process.stdout
        assert stdin and stdout
        seconds, setting = self._limits.seconds, "PARSE_TIMEOUT"
        try:
            async with asyncio.timeout(seconds) as patience:
                stdin.write(json.dumps(request).encode() + b"\n")
                await stdin.drain()
                reply = await _receive(stdout)
                if "recognising" in reply:
                    seconds, setting = max(seconds, self._limits.ocr_seconds), "OCR_TIMEOUT"
                    patience.reschedule(asyncio.get_running_loop().time() + seconds)
                while "recognising" in reply:  # once for each file in an archive
                    reply = await _receive(stdout)
        except TimeoutError as error:
            raise DocumentRefused(
                "timeout",
                f"{name} took more than {seconds:.0f} s to read (ANCHORAGE_INGEST__{setting}). Split it, or raise the limit.",
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError) as error:
            code = await child.process.wait()
            cause = signal.Signals(-code).name if code < 0 else f"exit {code}"
            raise DocumentRefused(
                "too_complex",
                f"{name} broke the program that reads it ({cause}): it is damaged, or needs more memory than it may take "
                "(ANCHORAGE_INGEST__PARSE_MEMORY_BYTES).",
            ) from error
        return reply

    async def close(self) -> None:
        """End the processes that wait for work."""
        while self._free:
            await _kill_child(self._free.pop())


async def _receive(stdout: asyncio.StreamReader) -> dict[str, Any]:
    size = int.from_bytes(await stdout.readexactly(8), "big")
    body = await stdout.readexactly(min(size, _REPLY_LIMIT))
    reply: dict[str, Any] = await _keep_loop_free(json.loads, body, size)
    return {**reply, _SIZE: size}


async def _keep_loop_free(work: Callable[[T], R], given: T, size: int) -> R:
    """Do what takes time in a thread; for little that would cost more than the work itself."""
    return work(given) if size <= _LITTLE else await asyncio.to_thread(work, given)


async def _kill_child(child: _Child) -> None:
    with suppress(ProcessLookupError):
        child.process.kill()
    await child.process.communicate()


def _read_reply(reply: dict[str, Any]) -> ParsedDocument:
    if "refused" in reply:
        raise DocumentRefused(*reply["refused"])
    if "unknown" in reply:
        raise UnknownFormat(reply["unknown"])
    found = reply["document"]
    return ParsedDocument(
        text=found["text"],
        title=found["title"],
        blocks=tuple(
            Block(BlockKind(item["kind"]), item["start"], item["end"], item["level"]) for item in found["blocks"]
        ),
        pages=tuple(Page(**item) for item in found["pages"]),
        metadata={**found["metadata"], "kind": found["kind"]},
    )


@asynccontextmanager
async def open_sandboxed_parser(
    limits: ParseLimits, processes: int, environment: Mapping[str, str] | None = None
) -> AsyncIterator[SandboxedParser]:
    """A parser with up to `processes` sandboxes, started when they are needed, with `environment` and nothing more of ours."""
    parser = SandboxedParser(limits, processes, environment or {})
    try:
        yield parser
    finally:
        await parser.close()
