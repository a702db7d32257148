"""Servers, clients and actors for the tests of the RPC, and the demand that no test leaves a descriptor open."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from hero_job.operations.credentials import token_hash
from hero_supervisor.rpc.methods import examples
from tests.deployment import ACTORS, Deployment, deployed
from tests.forked_programs import server_fds
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import token_settings
from tests.supervisor.rpc.transports import TRANSPORTS, Client, HttpClient, WebSocketClient
from tests.valkey_server import ValkeyServer, free_port


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "s" / "hero.ipc"


@pytest.fixture
def unix_server(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RunningServer]:
    """A server of the Unix socket."""
    server = RunningServer(valkey.url, namespace, socket_path).start()
    yield server
    server.stop()


@pytest.fixture
def web_server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    """A server of a TCP port."""
    server = RunningServer(valkey.url, namespace).start()
    yield server
    server.stop()


@pytest.fixture
def token_server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    """A server of a TCP port that takes the tokens of `tcp_client.TOKENS`."""
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    yield server
    server.stop()


@pytest.fixture
def client(unix_server: RunningServer) -> Iterator[RawClient]:
    """A connection to the Unix socket."""
    with RawClient(unix_server.path) as client:
        yield client


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A whole service with real actors for OSIS and SAL, and one of a group of its own that tests may stop.

    Not for the whole session: an idle service takes more time until the next module that needs it than its start.
    """
    port = free_port()
    known = f'port = {port}\ntokens = [{{ name = "ops", scope = "admin", sha256 = "{token_hash(examples.TOKEN)}" }}]'
    spare = f'[[actors]]\ntype = "sal"\nname = "{examples.ENTRY}"\ngroup = "{examples.ENTRY}"\nlanes = 1\n'
    with deployed(tmp_path_factory.mktemp("rpc"), actors=known + ACTORS + spare) as running:
        running.port = port
        yield running


@pytest.fixture(params=TRANSPORTS)
def service(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[Client]:
    """A connection to the whole service, over each transport; each test uses only its own jobs."""
    with connected(request.param, deployment.socket, deployment.port, examples.TOKEN) as client:
        yield client


@pytest.fixture(params=TRANSPORTS)
def any_client(
    request: pytest.FixtureRequest, valkey: ValkeyServer, namespace: str, socket_path: Path
) -> Iterator[Client]:
    """A connection to a server with no actors, over each transport."""
    path = socket_path if request.param == "unix" else None
    server = RunningServer(valkey.url, namespace, path).start()
    with connected(request.param, socket_path, server.port) as client:
        yield client
    server.stop()


def connected(transport: str, path: Path, port: int, token: str | None = None) -> Client:
    """Connect over a transport."""
    if transport == "unix":
        return RawClient(path)
    return WebSocketClient(port, token) if transport == "websocket" else HttpClient(port, token)


@pytest.fixture
def foreign_actor(valkey: ValkeyServer, namespace: str) -> Iterator[Callable[[str], ForeignActor]]:
    """Start third-party actors for a script type."""
    with contextlib.ExitStack() as stack:
        yield lambda script_type: stack.enter_context(ForeignActor(valkey.url, namespace, script_type))


@pytest.fixture(scope="session")
def libuv_is_loaded() -> None:
    """Make a loop of uvloop: the first one of a process opens a pipe for signals, which libuv never closes."""
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open(libuv_is_loaded: None) -> Iterator[None]:
    before = _open_descriptors()
    yield
    kept = set(map(str, server_fds()))
    after = _open_descriptors().items()
    left = {number: what for number, what in after if before.get(number) != what and number not in kept}
    assert left == {}


def _open_descriptors() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[entry.name] = str(entry.readlink())
    return found
