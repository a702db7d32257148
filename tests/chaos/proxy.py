"""A TCP proxy in front of the store that knows enough of the protocol to fail at a chosen moment.

It reads the commands and the names of the clients; actors use their incarnation as name. It can fail in three ways:

- a `Trap` catches one exchange: it holds the request, holds the reply, or drops the reply;
- `cut` holds everything of some clients, like a network that loses their packets;
- `Noise` fails at random, by a seed.

The proxy runs on an event loop in a thread of its own. Any thread may call its methods.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import hiredis

from tests.eventually import eventually

_INCOMPLETE = object()


class Act(Enum):
    """What a trap does with its exchange."""

    HOLD_REQUEST = "hold the request: the server has not seen it"
    HOLD_REPLY = "hold the reply: the server has acted, and the client does not know"
    DROP_REPLY = "drop the reply and reset the connection: the server has acted"


@dataclass(frozen=True, slots=True)
class StoreExchange:
    """One command with its reply.

    Attributes:
        client: Name of the connection.
        command: The words of the command.
        reply: The reply of the server; None before there is one.
    """

    client: str
    command: list[bytes]
    reply: Any = None


class Trap:
    """Catches the first exchange that fits.

    Args:
        act: What to do with it.
        fits: Says whether an exchange fits. It gets the reply too, unless the act is HOLD_REQUEST.
    """

    def __init__(self, act: Act, fits: Callable[[StoreExchange], bool]) -> None:
        self.act = act
        self.fits = fits
        self._caught = threading.Event()
        self.released = threading.Event()

    @property
    def caught(self) -> bool:
        """Has it caught an exchange?"""
        return self._caught.is_set()

    def wait_caught(self) -> None:
        """Wait until it has caught an exchange."""
        eventually(self._caught.is_set, what="the trap catches an exchange")

    def release(self) -> None:
        """Release the exchange, and catch no other."""
        self._caught.set()
        self.released.set()

    def takes(self, exchange: StoreExchange) -> bool:
        """Catch an exchange if it is the first that fits, and say so."""
        if self._caught.is_set() or not self.fits(exchange):
            return False
        self._caught.set()
        return True


@dataclass(slots=True)
class Noise:
    """Random faults: the probability of each for every piece of data, and how often each has happened."""

    seed: int
    drop_reply: float = 0.0
    drop_request: float = 0.0
    delay: float = 0.0
    split: float = 0.0
    delay_s: float = 0.2
    done: collections.Counter[str] = field(default_factory=collections.Counter)
    _rng: random.Random | None = None

    def happens(self, kind: str) -> bool:
        """Decide whether one kind of fault happens now."""
        self._rng = self._rng or random.Random(self.seed)
        if self._rng.random() >= getattr(self, kind):
            return False
        self.done[kind] += 1
        return True

    def stop(self) -> None:
        """End the noise."""
        self.drop_reply = self.drop_request = self.delay = self.split = 0.0


class Proxy:
    """Listens on a free port of the loopback address and forwards everything to the store.

    Args:
        port: Port of the store.
        seed: Seed of the noise.
    """

    def __init__(self, port: int, seed: int = 0) -> None:
        self._store_port = port
        self.noise = Noise(seed)
        self.url = ""
        self._traps: list[Trap] = []
        self._is_cut: Callable[[str], bool] = lambda _client: False
        self._loop = asyncio.new_event_loop()
        self._links: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> Proxy:
        """Start to listen."""
        self._thread.start()

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(self._serve, "127.0.0.1", 0)

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    def trap(self, act: Act, fits: Callable[[StoreExchange], bool]) -> Trap:
        """Set a trap."""
        trap = Trap(act, fits)
        self._traps.append(trap)
        return trap

    def cut(self, is_cut: Callable[[str], bool]) -> None:
        """Hold everything of the clients whose name fits, in both directions, until `mend`."""
        self._is_cut = is_cut

    def mend(self) -> None:
        """Release everything that is held, and remove all traps."""
        self._is_cut = lambda _client: False
        for trap in self._traps:
            trap.release()
        self._traps = []

    def close(self) -> None:
        """Close all connections and stop listening."""
        self.mend()

        async def end() -> None:
            self._server.close()
            for link in tuple(self._links):
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        # Cancelled only when the proxy closes; asyncio's stream protocol would report that as an error.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await _Link(self, reader, writer).run(self._store_port)
        self._links.discard(task)
        writer.close()

    def find_trap(self, exchange: StoreExchange, *acts: Act) -> Trap | None:
        """Return the trap that catches this exchange, if there is one."""
        return next((t for t in self._traps if t.act in acts and t.takes(exchange)), None)

    async def while_cut(self, client: str) -> None:
        """Wait while a client is cut off."""
        while self._is_cut(client):  # noqa: ASYNC110  set by other threads
            await asyncio.sleep(0.02)


class _Reset(OSError):
    """Closes a connection on purpose."""


class _Link:
    """The connection of one client, and its counterpart to the store."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._client = ""
        self._unanswered: collections.deque[list[bytes]] = collections.deque()

    async def run(self, port: int) -> None:
        """Forward data until either side ends."""
        store_reader, store_writer = await asyncio.open_connection("127.0.0.1", port)
        ways = (
            asyncio.create_task(self._pass_requests(store_writer)),
            asyncio.create_task(self._pass_replies(store_reader)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            store_writer.transport.abort()
            self._writer.transport.abort()
            # Last, because the proxy may close, and cancel this, in the meantime.
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_requests(self, store: asyncio.StreamWriter) -> None:
        noise, parser = self._proxy.noise, hiredis.Reader(notEnoughData=_INCOMPLETE)
        while data := await self._reader.read(65536):
            parser.feed(data)
            while (command := parser.gets()) is not _INCOMPLETE:
                self._unanswered.append(command)
                if [word.upper() for word in command[:2]] == [b"CLIENT", b"SETNAME"]:
                    self._client = command[2].decode()
                trap = self._proxy.find_trap(StoreExchange(self._client, command), Act.HOLD_REQUEST)
                if trap is not None:
                    await _held(trap)
            await self._proxy.while_cut(self._client)
            if noise.happens("drop_request"):
                raise _Reset
            store.write(data)
            await store.drain()

    async def _pass_replies(self, store: asyncio.StreamReader) -> None:
        noise, parser = self._proxy.noise, hiredis.Reader(notEnoughData=_INCOMPLETE)
        while data := await store.read(65536):
            parser.feed(data)
            while (reply := parser.gets()) is not _INCOMPLETE:
                if not self._unanswered:
                    continue  # the server pushed it without a request
                exchange = StoreExchange(self._client, self._unanswered.popleft(), reply)
                trap = self._proxy.find_trap(exchange, Act.HOLD_REPLY, Act.DROP_REPLY)
                if trap is not None and trap.act is Act.DROP_REPLY:
                    raise _Reset
                if trap is not None:
                    await _held(trap)
            await self._proxy.while_cut(self._client)
            if noise.happens("drop_reply"):
                raise _Reset
            if noise.happens("delay"):
                await asyncio.sleep(noise.delay_s)
            step = 1 if len(data) <= 4096 and noise.happens("split") else len(data)
            for start in range(0, len(data), step):
                self._writer.write(data[start : start + step])
                await self._writer.drain()
                if step == 1:
                    await asyncio.sleep(0)


async def _held(trap: Trap) -> None:
    while not trap.released.is_set():  # noqa: ASYNC110  set by other threads
        await asyncio.sleep(0.005)
