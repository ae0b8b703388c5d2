"""A TCP proxy that breaks connections off after so many bytes of what the server says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class CuttingProxy:
    def __init__(self, target: str, cuts: Sequence[int]) -> None:
        """The first connections end after so many bytes each; those after them last."""
        self._target = urlsplit(target)
        self._cuts = list(cuts)
        self.connections = 0
        self.requests: list[str] = []
        self._open: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        for stream in self._open:
            stream.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = self._cuts.pop(0) if self._cuts else None
        try:
            server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.close()
            return
        self._open |= {writer, to_server}
        forward = asyncio.create_task(self._pass_on(reader, to_server))
        try:
            while piece := await server.read(200 if left is not None else 65536):
                if left is not None and (left := left - len(piece)) < 0:
                    break
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        finally:
            forward.cancel()
            for stream in (writer, to_server):
                stream.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                self.requests.append(piece.split(b"\r\n", 1)[0].decode("latin-1"))
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def cutting_proxy(target: str, *cuts: int) -> AsyncIterator[tuple[str, CuttingProxy]]:
    proxy = CuttingProxy(target, cuts)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", proxy
    finally:
        server.close()
        proxy.close()
        await server.wait_closed()
