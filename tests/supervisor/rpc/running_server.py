"""A real server of one transport in front of a real Valkey, in an event loop and a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from websockets.sync.client import ClientConnection, connect

from hero_client import AsyncSupervisor
from hero_config.model.settings import JobsSettings, RpcSettings
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.tcp.server import WebServer
from hero_supervisor.rpc.unix.server import UnixServer
from tests.eventually import GENEROUS_S
from tests.valkey_server import free_port

T = TypeVar("T")
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
# A task whose coroutine is one of these answers a request.
_ANSWERING = ("UnixConnection._answer", "RpcSocket._answer", "HttpConnection._answer", "Dispatcher.answer")


class RunningServer:
    """The server of the Unix socket if it is given a path, else that of a free TCP port.

    Attributes:
        path: The Unix socket.
        port: The TCP port; 0 on the Unix socket.
    """

    def __init__(self, url: str, namespace: str, path: Path | None = None, **settings: Any) -> None:
        self.over_unix = path is not None
        self.path = path or Path("/no/socket")
        self.port = 0 if self.over_unix else free_port()
        address = {"unix_socket": str(path)} if self.over_unix else {"port": self.port}
        self._settings = RpcSettings.model_validate({"max_message_bytes": MAX_MESSAGE_BYTES, **address, **settings})
        self._builder = SupervisorBuilder().redis_url(url).namespace(namespace)
        self._server: UnixServer | WebServer
        self._supervisor: AsyncSupervisor
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._listening = threading.Event()
        self._failure: BaseException | None = None
        self._grace_s = 5.0
        self._thread = threading.Thread(target=self._run, name="rpc-server")

    def start(self) -> RunningServer:
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def begin_stop(self, grace_s: float = GENEROUS_S) -> None:
        """Begin to stop; requests that are being answered get so long."""
        self._grace_s = grace_s
        # A server that was told before may close its loop right now, while its thread is still alive.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self, grace_s: float = 5.0) -> None:
        if self._thread.is_alive():
            self.begin_stop(grace_s)
            self._thread.join()

    def close(self, grace_s: float = 5.0) -> None:
        """Close the server, and let its loop run on until `stop`."""
        self.run(self._server.close(grace_s))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop of the server."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    # What goes on in it.

    def in_flight(self) -> int:
        """How many requests are being answered, including those whose client has gone."""
        return sum(any(name in repr(task.get_coro()) for name in _ANSWERING) for task in self.run(_all_tasks()))

    def subscription_tasks(self) -> list[str]:
        """The tasks that run for subscriptions."""
        names = [task.get_name() for task in self.run(_all_tasks())]
        return [name for name in names if name.startswith("subscription") or name == "follow streams"]

    def connections(self) -> int:
        """How many connections it has."""

        async def count() -> int:
            server = self._server
            return len(server._state.connections if isinstance(server, WebServer) else server._connections)

        return self.run(count())

    def is_closing(self) -> bool:
        """Whether it has begun to stop."""
        return self._server._server is None

    def known_tokens(self) -> int:
        """How many tokens count, those of the store included."""
        return len(self._server._gate.tokens._all)

    def methods(self) -> set[str]:
        """The names of all methods."""
        return set(self._server._dispatcher.methods)

    def job_ids(self) -> list[str]:
        """The ids of all jobs in its store, without a request."""

        async def ids() -> list[str]:
            return [record.job.id for record in (await self._supervisor.list_jobs()).records]

        return self.run(ids())

    # Clients of a TCP port.

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def websocket(self, path: str = "/", **options: Any) -> ClientConnection:
        """Connect with the library `websockets`."""
        defaults: dict[str, Any] = {"max_size": None, "compression": None, "open_timeout": GENEROUS_S}
        client: ClientConnection = connect(self.url(path, "ws"), **(defaults | options))
        return client

    def raw(self, timeout_s: float = GENEROUS_S) -> socket.socket:
        """Connect with nothing but a socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    # Inside.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._builder.build_async() as self._supervisor:
            kind = UnixServer if self.over_unix else WebServer
            try:
                self._server = kind(self._supervisor, self._settings, JobsSettings())
                await self._server.start()
            except BaseException as e:
                self._failure = e
                return
            finally:
                self._listening.set()
            await self._stop.wait()
            await self._server.close(self._grace_s)


async def _all_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()
