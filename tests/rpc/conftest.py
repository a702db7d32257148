"""A real server on a real Unix socket in front of a real Valkey, and raw clients for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from hero_config.settings import JobsSettings, RpcSettings
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.unix import UnixServer, serve
from tests.deployment import Deployment, deployed
from tests.rpc.raw_client import RawClient
from tests.valkey_server import ValkeyServer

MAX_MESSAGE_BYTES = 2 * 1024 * 1024


class RunningServer:
    """A server in an event loop of its own, in a thread."""

    def __init__(self, url: str, namespace: str, path: Path, mode: str = "0600") -> None:
        self.path = path
        self.server: UnixServer
        self.loop: asyncio.AbstractEventLoop
        self._settings = RpcSettings(unix_socket=str(path), unix_mode=mode, max_message_bytes=MAX_MESSAGE_BYTES)
        self._builder = SupervisorBuilder().redis_url(url).namespace(namespace)
        self._listening = threading.Event()
        self._stop: asyncio.Event
        self._grace_s = 5.0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="rpc-server")

    def start(self) -> RunningServer:
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self, grace_s: float = 5.0) -> None:
        if self._thread.is_alive():
            self._grace_s = grace_s
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def tasks(self) -> list[str]:
        """The requests that are under way in the server."""

        async def names() -> list[str]:
            return [t.get_coro().__qualname__ for t in asyncio.all_tasks() if "_answer" in repr(t.get_coro())]  # type: ignore[union-attr]

        return asyncio.run_coroutine_threadsafe(names(), self.loop).result()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._builder.build_async() as supervisor:
            self.server = serve(supervisor, self._settings, JobsSettings())
            try:
                await self.server.start()
            except BaseException as e:
                self._failure = e
                return
            finally:
                self._listening.set()
            await self._stop.wait()
            await self.server.close(self._grace_s)


class ForeignActor:
    """An actor of another make: takes ids with BLPOP and writes with plain commands, knowing nothing of our scripts."""

    def __init__(self, url: str, namespace: str, script_type: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)
        self._namespace = namespace
        self._queue = f"{namespace}:q:work:type:{script_type}"
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="foreign-actor")
        self.held = threading.Event()
        self.may_finish = threading.Event()
        self.may_finish.set()

    def __enter__(self) -> ForeignActor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.may_finish.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._ended:
            taken = self._redis.blpop([self._queue], timeout=0.1)
            if taken:
                self._work(taken[1])

    def _work(self, job_id: str) -> None:
        key = f"{self._namespace}:job:{job_id}"
        job = self._redis.hgetall(key)
        self._redis.hset(key, "status", "started")
        self.held.set()
        self.may_finish.wait()
        if job["script"] == "fail":
            outcome = {
                "status": "error",
                "error": "it failed",
                "error_kind": "runtime",
                "error_at": "2:5",
            }
        else:
            outcome = {"status": "finished", "output": f"ran {job['script']}"}
        self._redis.hset(key, mapping=outcome)
        reply = {"job_id": job_id, "output": None, "error": None, "error_kind": None, **outcome}
        self._redis.rpush(f"{self._namespace}:q:reply:{job_id}", orjson.dumps(reply))


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "s" / "hero.ipc"


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, socket_path).start()
    yield server
    server.stop()


@pytest.fixture
def client(server: RunningServer) -> Iterator[RawClient]:
    with RawClient(server.path) as client:
        yield client


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A whole service with real actors for OSIS and SAL."""
    with deployed(tmp_path_factory.mktemp("rpc")) as running:
        yield running


@pytest.fixture
def service(deployment: Deployment) -> Iterator[RawClient]:
    """A connection to the whole service; each test keeps to its own jobs."""
    with RawClient(deployment.socket) as client:
        yield client


@pytest.fixture
def foreign_actor(valkey: ValkeyServer, namespace: str) -> Iterator[Callable[[str], ForeignActor]]:
    """Start foreign actors for a script type."""
    with contextlib.ExitStack() as stack:
        yield lambda script_type: stack.enter_context(ForeignActor(valkey.url, namespace, script_type))


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = _open_descriptors()
    yield
    # A client of the shared store may keep a connection or two.
    assert _open_descriptors() <= before + 3


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
