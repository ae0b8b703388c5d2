"""Server-sent events, as model servers send them: bytes in, the data of each event out."""

from __future__ import annotations

LONGEST_LINE = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Decodes chunks that may be split anywhere. Lines end in LF, CRLF or CR; comments and other fields are skipped.

    The cost is a few C-level calls per chunk: no line is read character by character in Python.
    """

    __slots__ = ("_after_cr", "_data", "_first", "_held", "_size")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # pieces of a line whose end has not come
        self._size = 0
        self._data: list[bytes] = []  # data lines of an event whose end has not come
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event that this chunk completes. Raises `ValueError` for a line without end."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            # JSON never holds a raw CR, so what is left after this is lines alone.
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._hold_piece(chunk)
            return []
        if self._held:
            chunk = b"".join((*self._held, chunk))
            self._held.clear()
            self._size = 0
        if self._first:
            self._first = False
            chunk = chunk.removeprefix(_BOM)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if rest:
            self._hold_piece(rest)
        return self._collect_events(lines)

    def finish(self) -> list[bytes]:
        """The data of a last event that the server did not end with an empty line."""
        return self.feed(b"\n\n")

    def _hold_piece(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LONGEST_LINE:
            raise ValueError("a line of an event stream has no end")
        self._held.append(piece)

    def _collect_events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if not line:
                if data:
                    events.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
            elif line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
        return events
