"""The process that parses: one file after another, within limits that the kernel enforces.

Reads one JSON request a line on stdin, writes one reply on stdout: 8 bytes of length (big endian), then JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from anchorage.adapters.parsers.kinds import kind_of, parser_of
from anchorage.errors import AnchorageError, DocumentRefused

_PR_SET_PDEATHSIG = 1


def confine(memory: int) -> None:
    """Take what a parser does not need: memory beyond the limit, writing files, core dumps, outliving its parent."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def reply_to(request: dict[str, Any]) -> dict[str, Any]:
    """The parsed document, or the reason why there is none."""
    path, name = Path(request["path"]), request["name"]
    try:
        kind = kind_of(path, name)
        document = parser_of(kind)(path, name, request["limit"], request["password"])
    except DocumentRefused as error:
        return {"refused": [error.code, error.message]}
    except AnchorageError as error:
        return {"unknown": error.message}
    except MemoryError:
        gc.collect()
        return {"refused": ["too_complex", f"{name} needs more memory to be read than it may take "
                            "(ANCHORAGE_INGEST__PARSE_MEMORY_BYTES). Split it, or raise the limit."]}  # fmt: skip
    except RecursionError:
        return {"refused": ["too_complex", f"{name} is nested too deeply to be read. Simplify it."]}
    except Exception as error:  # noqa: BLE001  libraries raise anything on broken files; the file is what is at fault
        return {
            "refused": ["corrupt", f"{name} is damaged: reading it failed ({type(error).__name__}). Save it again."]
        }
    return {"document": {"kind": kind, **asdict(document)}}


def _send(out: BinaryIO, reply: dict[str, Any]) -> None:
    body = json.dumps(reply).encode()
    out.write(len(body).to_bytes(8, "big"))
    out.write(body)
    out.flush()


def main() -> None:
    """Serve until stdin ends."""
    confine(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the replies
    for line in sys.stdin.buffer:
        _send(out, reply_to(json.loads(line)))


if __name__ == "__main__":
    main()
