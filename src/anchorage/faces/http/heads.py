"""Bounds the size and the time of what comes before a request's body, which uvicorn gathers without limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head (RFC 9112, 2.1) longer than `max_bytes` with 431 (RFC 6585, 5), and one that takes longer than `timeout` seconds with 408."""

    def __init__(self, *args: Any, max_bytes: int, timeout: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._max_bytes, self._timeout = max_bytes, timeout
        self._in_head, self._began_now = False, False  # a head; one that began in this piece of data
        self._head_bytes = self._field_bytes = 0  # bytes of the head so far, and of its complete fields
        self._too_long = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._began_now = False
        super().data_received(data)
        if self._in_head and not self._began_now and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self._max_bytes:
                self._refuse_length()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._began_now = True
        self._head_bytes = self._field_bytes = 0
        self._start_timer()

    def on_url(self, url: bytes) -> None:
        self._count_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_bytes(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._end_head()
        if self._too_long:
            self._refuse_length()
        else:
            super().send_400_response(msg)

    def _count_bytes(self, length: int) -> None:
        self._field_bytes += length
        if self._field_bytes > self._max_bytes:
            self._too_long = True
            raise ValueError("the head is too long")  # ends the parsing, and comes back to `send_400_response`

    def _start_timer(self) -> None:
        self._cancel_timer()
        self._timer = self.loop.call_later(self._timeout, self._refuse_late_head)

    def _refuse_late_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # it waits behind the answer before it
            self._start_timer()
        else:
            self._refuse(
                b"408 Request Timeout",
                f"The head of the request did not come within {self._timeout:g} s. Send it again.",
            )

    def _refuse_length(self) -> None:
        self._refuse(
            b"431 Request Header Fields Too Large",
            f"The request's address and header fields are longer than {self._max_bytes} bytes (ANCHORAGE_HTTP__MAX_HEAD_BYTES). Shorten them.",
        )

    def _refuse(self, status: bytes, reason: str) -> None:
        self._end_head()
        body = reason.encode()
        head = (
            b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()

    def _end_head(self) -> None:
        self._in_head = False
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_bounded_http(max_bytes: int, timeout: float) -> Callable[..., asyncio.Protocol]:
    """Make the factory with which uvicorn makes the protocol of each connection."""
    return partial(BoundedHttp, max_bytes=max_bytes, timeout=timeout)
