"""A TCP relay in front of a server that loses an answer, and the connection with it, when a test asks for that."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

#: Less than any request, and more than the answer to a ping of a WebSocket.
_REQUEST_BYTES = 40


class LossyRelay:
    """Listens on a free port of the loopback address.

    Args:
        port: Port of the server.

    Attributes:
        port: Its own port.
        lost: Answers that it has lost.
        accepted: Connections of clients that it has passed on.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.lost = 0
        self.accepted = 0
        self._server_port = port
        self._armed = False
        self._links: set[asyncio.Task[None]] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="relay")

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def lose_next_answer(self) -> None:
        """Pass the next request, and cut its connection as soon as the server says something after it."""

        async def arm() -> None:
            self._armed = True

        asyncio.run_coroutine_threadsafe(arm(), self._loop).result()

    def cut_all(self) -> None:
        """Cut all connections, and wait until that has happened."""

        async def cut() -> None:
            links = tuple(self._links)
            for link in links:
                link.cancel()
            await asyncio.gather(*links, return_exceptions=True)
            await asyncio.sleep(0.05)  # the loop closes sockets a turn later

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        for link in tuple(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        self.accepted += 1
        with contextlib.suppress(OSError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            loses = asyncio.Event()  # what the server says next on this connection
            ways = [
                asyncio.create_task(self._pass_requests(reader, server_writer, loses)),
                asyncio.create_task(self._pass_answers(server_reader, writer, loses)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                server_writer.transport.abort()
                writer.transport.abort()
                # Last, because the relay may end, and cancel this, in the meantime.
                await asyncio.gather(*ways, return_exceptions=True)
        self._links.discard(task)

    async def _pass_requests(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, loses: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self._armed and len(data) > _REQUEST_BYTES:
                self._armed = False
                loses.set()
            server.write(data)
            await server.drain()

    async def _pass_answers(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, loses: asyncio.Event
    ) -> None:
        while data := await server.read(65536):
            if loses.is_set():
                self.lost += 1
                return
            writer.write(data)
            await writer.drain()
