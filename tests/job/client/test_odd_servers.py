"""What both stores raise when their port belongs to something that is no store, or to one that refuses."""

from __future__ import annotations

import asyncio
import re
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError, StoreRefused, StoreUnavailable
from hero_job.protocol.op import Op, as_is
from tests.valkey_server import ValkeyServer

#: What the server sends for each command, and what both stores make of it. It closes where it has nothing to send.
ODD = {
    "a web server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", StoreUnavailable, "not the Redis protocol"),
    "noise": (b"\x00\xff\x16\x03\x01junk\r\n", StoreUnavailable, "not the Redis protocol"),
    "a number that is none": (b":1x\r\n", StoreUnavailable, "not the Redis protocol"),
    "half an answer": (b"$100\r\nhalf", StoreUnavailable, ""),
    "one that only closes": (b"", StoreUnavailable, ""),
    "one that wants a password": (b"-NOAUTH Authentication required.\r\n", StoreRefused, "NOAUTH"),
    "one with a wrong password": (b"-WRONGPASS invalid username-password pair\r\n", StoreRefused, "WRONGPASS"),
    "one without rights": (b"-NOPERM no permissions to run this command\r\n", StoreRefused, "NOPERM"),
    "one in protected mode": (b"-DENIED Redis is running in protected mode\r\n", StoreRefused, "DENIED"),
    "one that reads its file": (b"-LOADING Redis is loading the dataset in memory\r\n", StoreUnavailable, "loading"),
    "one with too many clients": (b"-ERR max number of clients reached\r\n", StoreUnavailable, "max number of clients"),
    "a replica without its primary": (
        b"-MASTERDOWN Link with MASTER is down\r\n",
        StoreUnavailable,
        "Link with MASTER is down",
    ),
    "an unknown command": (b"-ERR unknown command\r\n", StoreRefused, "unknown command"),
}

COMMAND = re.compile(rb"^\*\d+\r", re.MULTILINE)
PING = Op(("PING",), as_is)
#: The asynchronous store sends it on the connection that all callers share.
SHORT = Op(("HGET", "key", "field"), as_is)


@pytest.fixture
def odd_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a server that gives the same answer to each command."""
    answer: bytes = request.param

    class Odd(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while answer and (asked := self.request.recv(65_536)):
                self.request.sendall(answer * len(COMMAND.findall(asked)))
                if answer.endswith(b"half"):
                    return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that closes in the middle is what the test is about."""

    with Server(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def run(store: Store) -> object:
    return store.run(PING)


def run_many(store: Store) -> object:
    return first(store.run_many([PING, PING]))


def run_alone(store: Store) -> object:
    return first(store.run_many([Op(("CLIENT", "GETNAME"), as_is)] * 2))


def first(results: list[object]) -> object:
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


def run_short(store: Store) -> object:
    return store.run(SHORT)


async def async_run_short(store: AsyncStore) -> object:
    return await store.run(SHORT)


async def async_run(store: AsyncStore) -> object:
    return await store.run(PING)


async def async_run_many(store: AsyncStore) -> object:
    return first(await store.run_many([PING, PING]))


async def async_run_alone(store: AsyncStore) -> object:
    return first(await store.run_many([Op(("CLIENT", "GETNAME"), as_is)] * 2))


WAYS = {
    "run": (run, async_run),
    "short": (run_short, async_run_short),
    "run_many": (run_many, async_run_many),
    "alone": (run_alone, async_run_alone),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("odd_server", "name"), [(odd[0], name) for name, odd in ODD.items()], indirect=["odd_server"])
def test_both_stores_name_an_odd_server_alike(odd_server: str, name: str, way: str) -> None:
    _, kind, text = ODD[name]
    ask, ask_async = WAYS[way]

    async def asynchronous() -> object:
        async with AsyncStore(odd_server) as store:
            return await ask_async(store)

    def synchronous() -> object:
        with Store(odd_server) as store:
            return ask(store)

    errors = [error_of(synchronous), error_of(lambda: asyncio.run(asynchronous()))]
    assert [type(error) for error in errors] == [kind, kind], errors
    if kind is StoreRefused:
        assert str(errors[0]) == str(errors[1])
    for error in errors:
        assert text in str(error)


@pytest.mark.parametrize("way", WAYS)
def test_both_stores_name_a_database_that_the_server_lacks(valkey: ValkeyServer, way: str) -> None:
    url = f"{valkey.url.rstrip('/')}/99"
    ask, ask_async = WAYS[way]

    async def asynchronous() -> object:
        async with AsyncStore(url) as store:
            return await ask_async(store)

    with pytest.raises(StoreRefused, match="DB index is out of range"), Store(url) as store:
        ask(store)
    with pytest.raises(StoreRefused, match="DB index is out of range"):
        asyncio.run(asynchronous())


def error_of(attempt: Callable[[], object]) -> HeroJobError:
    with pytest.raises(HeroJobError) as caught:
        attempt()
    return caught.value
