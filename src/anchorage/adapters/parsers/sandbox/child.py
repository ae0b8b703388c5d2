"""The process that parses: one file after another, within limits that the kernel enforces.

Reads one JSON request a line on stdin, writes one reply on stdout: 8 bytes of length (big endian), then JSON. A reply
`recognising` may come before it, once for each file of an archive: text recognition begins, which may take longer.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from anchorage.adapters.parsers.reading import read_file
from anchorage.adapters.parsers.task import Recognition, Task
from anchorage.errors import AnchorageError, DocumentRefused

_PR_SET_PDEATHSIG = 1


def confine_process(memory: int) -> None:
    """Take what a parser does not need: memory beyond the limit, writing files, core dumps, outliving its parent."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # They are sent to all of a group or a unit; this process ends with its parent, which drains first.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)


def answer_request(request: dict[str, Any], begin: Callable[[], None]) -> dict[str, Any]:
    """The parsed document, or the reason why there is none. `begin` is called before text recognition starts."""
    name, settings = request["name"], request["ocr"]
    recognition = Recognition(settings["language"], settings["page_seconds"], begin, settings["data"])
    try:
        with Path(request["path"]).open("rb") as file:
            kind, document = read_file(file, name, Task(request["limit"], request["password"], recognition))
    except DocumentRefused as error:
        return {"refused": [error.code, error.message]}
    except AnchorageError as error:
        return {"unknown": error.message}
    except MemoryError:
        return {"refused": ["too_complex", f"{name} needs more memory to be read than it may take "
                            "(ANCHORAGE_INGEST__PARSE_MEMORY_BYTES). Split it, or raise the limit."]}  # fmt: skip
    return {"document": {"kind": kind, **asdict(document)}}


def _send_reply(out: BinaryIO, reply: dict[str, Any]) -> None:
    body = json.dumps(reply).encode()
    out.write(len(body).to_bytes(8, "big"))
    out.write(body)
    out.flush()


def main() -> None:
    """Serve until stdin ends."""
    confine_process(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the replies
    for line in sys.stdin.buffer:
        _send_reply(out, answer_request(json.loads(line), partial(_send_reply, out, {"recognising": True})))


if __name__ == "__main__":
    main()
