"""What comes before a request's body, within bounds: uvicorn gathers it whole, however much it is and however long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head (RFC 9112, 2.1) of more than `most` bytes with 431 (RFC 6585, 5), and one that takes more than `patience` seconds with 408."""

    def __init__(self, *args: Any, most: int, patience: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._most, self._patience = most, patience
        self._within, self._began = False, False  # a head, in this piece of data
        self._came = self._taken = 0  # bytes: since it began, and of the fields that are whole
        self._too_long = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._began = False
        super().data_received(data)
        if self._within and not self._began and not self.transport.is_closing():
            self._came += len(data)
            if self._came > self._most:
                self._refuse_length()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._within = self._began = True
        self._came = self._taken = 0
        self._wait()

    def on_url(self, url: bytes) -> None:
        self._take(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._take(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._over()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._over()
        if self._too_long:
            self._refuse_length()
        else:
            super().send_400_response(msg)

    def _take(self, length: int) -> None:
        self._taken += length
        if self._taken > self._most:
            self._too_long = True
            raise ValueError("the head is too long")  # ends the parsing, and comes back to `send_400_response`

    def _wait(self) -> None:
        self._cancel()
        self._timer = self.loop.call_later(self._patience, self._late)

    def _late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # it waits behind an answer
            self._wait()
        else:
            self._refuse(
                b"408 Request Timeout",
                f"The head of the request did not come within {self._patience:g} s. Send it again.",
            )

    def _refuse_length(self) -> None:
        self._refuse(
            b"431 Request Header Fields Too Large",
            f"The request's address and header fields are longer than {self._most} bytes (ANCHORAGE_HTTP__MAX_HEAD_BYTES). Shorten them.",
        )

    def _refuse(self, status: bytes, reason: str) -> None:
        self._over()
        body = reason.encode()
        head = (
            b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()

    def _over(self) -> None:
        self._within = False
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def bounded_http(most: int, patience: float) -> Callable[..., asyncio.Protocol]:
    """What uvicorn makes the protocol of a connection with."""
    return partial(BoundedHttp, most=most, patience=patience)
