"""A real server on a real Unix socket in front of a real Valkey, and raw clients for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import pytest
import redis

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_job.operations.credentials import token_hash
from hero_supervisor import SupervisorBuilder
from hero_supervisor.rpc.methods import examples
from hero_supervisor.rpc.unix.server import UnixServer, serve
from tests.deployment import ACTORS, Deployment, deployed
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.transports import TRANSPORTS, Client, HttpClient, WebSocketClient, free_port
from tests.valkey_server import ValkeyServer

if TYPE_CHECKING:
    from tests.supervisor.rpc.web_server import RunningWeb

T = TypeVar("T")
MAX_MESSAGE_BYTES = 2 * 1024 * 1024


class RunningServer:
    """A server in an event loop of its own, in a thread."""

    def __init__(self, url: str, namespace: str, path: Path, mode: str = "0600", **settings: Any) -> None:
        self.path = path
        self.server: UnixServer
        self.loop: asyncio.AbstractEventLoop
        self._settings = RpcSettings.model_validate(
            {"unix_socket": str(path), "unix_mode": mode, "max_message_bytes": MAX_MESSAGE_BYTES, **settings}
        )
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

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def tasks(self) -> list[str]:
        """The requests that are under way in the server."""

        async def names() -> list[str]:
            return [t.get_coro().__qualname__ for t in asyncio.all_tasks() if "_answer" in repr(t.get_coro())]  # type: ignore[union-attr]

        return self.run(names())

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
    """A whole service with real actors for OSIS and SAL, and one of a group of its own that tests may stop."""
    port = free_port()
    known = f'port = {port}\ntokens = [{{ name = "ops", scope = "admin", sha256 = "{token_hash(examples.TOKEN)}" }}]'
    spare = f'[[actors]]\ntype = "sal"\nname = "{examples.ENTRY}"\ngroup = "{examples.ENTRY}"\nlanes = 1\n'
    with deployed(tmp_path_factory.mktemp("rpc"), actors=known + ACTORS + spare) as running:
        running.port = port
        yield running


@pytest.fixture(params=TRANSPORTS)
def service(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[Client]:
    """A connection to the whole service, over each transport; each test keeps to its own jobs."""
    with connected(request.param, deployment.socket, deployment.port, examples.TOKEN) as client:
        yield client


@pytest.fixture(params=TRANSPORTS)
def any_client(
    request: pytest.FixtureRequest, valkey: ValkeyServer, namespace: str, socket_path: Path
) -> Iterator[Client]:
    """A connection to a server with no actors, over each transport."""
    from tests.supervisor.rpc.web_server import RunningWeb  # it needs this module

    server: RunningServer | RunningWeb
    if request.param == "unix":
        server = RunningServer(valkey.url, namespace, socket_path).start()
        port = 0
    else:
        server = web = RunningWeb(valkey.url, namespace).start()
        port = web.port
    with connected(request.param, socket_path, port) as client:
        yield client
    server.stop()


def connected(transport: str, path: Path, port: int, token: str | None = None) -> Client:
    """Connect over a transport."""
    if transport == "unix":
        return RawClient(path)
    return WebSocketClient(port, token) if transport == "websocket" else HttpClient(port, token)


@pytest.fixture
def token_server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningWeb]:
    """A TCP port that takes the tokens of `web_server.TOKENS`."""
    from tests.supervisor.rpc.web_server import RunningWeb, token_settings  # it needs this module

    server = RunningWeb(valkey.url, namespace, tokens=token_settings()).start()
    yield server
    server.stop()


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
