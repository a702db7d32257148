"""Following streams: one reader for all listeners, at the pace of the slowest, which reports every gap."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.sharing.waking_read import WakingRead
from hero_job.client.streams import PAGE, StreamUpdate
from hero_job.model.errors import StoreRefused, StoreUnavailable
from hero_job.operations.events import BEGINNING, Edges, Events
from hero_job.protocol import lua
from hero_job.protocol.op import Op, T
from tests.eventually import GENEROUS_S
from tests.valkey_server import ValkeyServer

Follow = Callable[[AsyncStore, str], Coroutine[Any, Any, None]]


class Listener:
    """Collects updates; after each one it waits until it may go on."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[StreamUpdate] = asyncio.Queue()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def hear(self, update: StreamUpdate) -> None:
        self.heard.put_nowait(update)
        await self.may_go_on.wait()

    async def next(self) -> StreamUpdate:
        async with asyncio.timeout(GENEROUS_S):
            return await self.heard.get()


def follow(url: str, namespace: str, test: Follow) -> None:
    async def run() -> None:
        async with AsyncStore(url) as store:
            await test(store, f"{namespace}:stream")

    asyncio.run(run())


async def add(store: AsyncStore, key: str, *values: int) -> None:
    for value in values:
        await store.run(Op(("XADD", key, "*", "n", value), str))


def numbers(update: StreamUpdate) -> list[int]:
    return [int(fields["n"]) for _, fields in update.entries]


def test_a_listener_hears_everything_after_the_cursor_that_join_returned(valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        early, late = Listener(), Listener()
        assert await store.streams.join(key, early) == BEGINNING
        await add(store, key, 1)
        first = await early.next()
        assert await store.streams.join(key, late) == first.cursor == store.streams.position(key)
        await add(store, key, 2)

        assert (numbers(first), numbers(await early.next()), numbers(await late.next())) == ([1], [2], [2])

    follow(valkey.url, namespace, test)


def test_a_second_stream_is_followed_immediately_while_the_reader_waits_for_the_first(
    valkey: ValkeyServer, namespace: str
) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, listener)
        await add(store, key, 1)
        await listener.next()
        await store.streams.join(f"{key}:2", listener)
        await add(store, f"{key}:2", 2)

        assert numbers(await listener.next()) == [2]

    follow(valkey.url, namespace, test)


def test_a_listener_that_lags_behind_the_stream_hears_of_the_gap(valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, listener)
        listener.may_go_on.clear()
        await add(store, key, 0)
        first = await listener.next()
        await add(store, key, *range(1, 2 * PAGE))
        await store.run(Op(("XTRIM", key, "MAXLEN", PAGE + 1), int))
        listener.may_go_on.set()
        second, third = await listener.next(), await listener.next()

        assert (first.gap, second.gap, third.gap) == (False, True, False)
        assert numbers(second) + numbers(third) == list(range(PAGE - 1, 2 * PAGE))

    follow(valkey.url, namespace, test)


def test_a_full_page_alone_is_not_a_gap(valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, listener)
        listener.may_go_on.clear()
        await add(store, key, 0)
        await listener.next()
        await add(store, key, *range(1, PAGE + 10))
        listener.may_go_on.set()
        second, third = await listener.next(), await listener.next()

        assert (len(second.entries), second.gap, third.gap) == (PAGE, False, False)

    follow(valkey.url, namespace, test)


class InterruptedStore(AsyncStore):
    """Loses its server once, when it is asked for the ends of a stream."""

    interrupt = False

    async def run(self, op: Op[T]) -> T:
        if self.interrupt and op.script is lua.STREAM_EDGES:
            self.interrupt = False
            raise StoreUnavailable(self.url.shown, "the server closed the connection")
        return await super().run(op)


def test_an_outage_between_a_full_page_and_the_check_for_a_gap_loses_no_entry(
    valkey: ValkeyServer, namespace: str
) -> None:
    async def run() -> None:
        async with InterruptedStore(valkey.url) as store:
            listener, key = Listener(), f"{namespace}:stream"
            await store.streams.join(key, listener)
            listener.may_go_on.clear()
            await add(store, key, 0)
            await listener.next()
            await add(store, key, *range(1, PAGE + 10))
            store.interrupt = True
            listener.may_go_on.set()

            interrupted, resumed = await listener.next(), await listener.next()
            assert (interrupted.interrupted, resumed.resumed) == (True, True)
            found = numbers(await listener.next()) + numbers(await listener.next())
            assert found == list(range(1, PAGE + 10))

    asyncio.run(run())


def test_nothing_is_read_without_listeners(valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, listener)
        (reader,) = [task for task in asyncio.all_tasks() if task.get_name() == "follow streams"]
        store.streams.leave(key, listener)
        store.streams.leave(key, listener)

        async with asyncio.timeout(GENEROUS_S):
            await reader
        # A new listener starts the reader again.
        await store.streams.join(key, listener)
        await add(store, key, 1)
        assert numbers(await listener.next()) == [1]

    follow(valkey.url, namespace, test)


@pytest.mark.parametrize(
    ("edges", "cursor", "gap", "reset"),
    [
        (Edges("5-0", "9-0"), "5-0", False, False),
        (Edges("5-0", "9-0"), "9-0", False, False),
        (Edges("5-0", "9-0"), "4-9", True, False),
        (Edges("5-0", "9-0"), "10-0", True, True),
        (Edges("5-0", "9-0"), BEGINNING, False, False),
        (Edges(None, None), "5-0", True, False),
        (Edges(None, None), BEGINNING, False, False),
    ],
)
def test_the_ends_of_a_stream_say_whether_entries_after_a_cursor_are_missing(
    edges: Edges, cursor: str, gap: bool, reset: bool
) -> None:
    assert (edges.gap_after(cursor), edges.was_reset(cursor)) == (gap, reset)


def test_the_facts_of_jobs_are_read_in_either_spelling(valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, _key: str) -> None:
        events = Events(namespace)
        fields = ("callerId", "02a", "context_id", "02c", "scriptType", "SAL")
        await store.run(Op(("HSET", events.keys.job("camel"), *fields), int))
        await store.run(Op(("SET", events.keys.job("damaged"), "x"), str))
        facts = await store.run(events.facts(["camel", "damaged", "none"]))

        assert (facts["camel"].caller_id, facts["camel"].context_id, facts["camel"].script_type) == (
            "02a",
            "02c",
            "SAL",
        )
        assert facts["damaged"] == facts["none"]
        assert facts["none"].caller_id is None

    follow(valkey.url, namespace, test)


def test_a_listener_that_raises_keeps_no_other_from_hearing(valkey: ValkeyServer, namespace: str) -> None:
    class Broken(Listener):
        async def hear(self, update: StreamUpdate) -> None:
            raise RuntimeError("a defect")

    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, Broken())
        await store.streams.join(key, listener)
        for value in (1, 2):
            await add(store, key, value)
            assert numbers(await listener.next()) == [value]

    follow(valkey.url, namespace, test)


def test_a_follower_that_failed_says_so_and_goes_on(valkey: ValkeyServer, namespace: str) -> None:
    class OnceBroken(AsyncStore):
        broken = False

        async def run_aside(self, read: WakingRead, op: Op[T]) -> T:
            if self.broken:
                self.broken = False
                raise RuntimeError("a defect")
            return await super().run_aside(read, op)

    async def main() -> None:
        async with OnceBroken(valkey.url) as store:
            listener, key = Listener(), f"{namespace}:stream"
            await store.streams.join(key, listener)
            store.broken = True
            await add(store, key, 1)
            heard = [await listener.next() for _ in range(3)]
            while not any(update.resumed for update in heard):
                heard.append(await listener.next())
            await add(store, key, 2)
            while [n for update in heard for n in numbers(update)] != [1, 2]:
                heard.append(await listener.next())
            assert any(update.interrupted for update in heard)

    asyncio.run(main())


def connections(server: ValkeyServer) -> int:
    """Count the connections that the server has ever accepted."""
    (line,) = [
        line for line in str(server.command("INFO", "stats")).splitlines() if line.startswith("total_connections_")
    ]
    return int(line.partition(":")[2])


def test_a_thousand_subscriptions_that_come_and_go_open_no_connection(own_valkey: ValkeyServer, namespace: str) -> None:
    async def test(store: AsyncStore, key: str) -> None:
        kept, passing = Listener(), Listener()
        await store.streams.join(key, kept)
        await add(store, key, 0)
        await kept.next()
        await asyncio.gather(*(add(store, f"{key}:warm", n) for n in range(20)))  # all eight connections are open
        own_valkey.command("CONFIG", "RESETSTAT")
        before = connections(own_valkey)

        for first in range(0, 1000, 50):
            # Some at the same time, some one after the other.
            await asyncio.gather(*(store.streams.join(f"{key}:{n}", passing) for n in range(first, first + 40)))
            for n in range(first + 40, first + 50):
                await store.streams.join(f"{key}:{n}", passing)
            await add(store, f"{key}:{first + 49}", first)
            assert numbers(await passing.next()) == [first]
            for n in range(first, first + 50):
                store.streams.leave(f"{key}:{n}", passing)
        await add(store, key, 1)

        assert numbers(await kept.next()) == [1]
        calls = own_valkey.command_calls()
        # The two questions of this test have opened two.
        assert connections(own_valkey) - before <= 2
        assert calls.get("hello", 0) + calls.get("auth", 0) + calls.get("client|id", 0) <= 2
        # Each stream is asked once for its end. A read is woken at most once for each join, and fewer are needed.
        assert calls["evalsha"] == 1000
        assert calls["xread"] <= 1000
        assert passing.heard.empty()

    follow(own_valkey.url, namespace, test)


def test_a_store_that_lets_no_read_be_woken_is_read_in_short_steps(
    own_valkey: ValkeyServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    own_valkey.command("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-client|unblock")

    async def test(store: AsyncStore, key: str) -> None:
        listener = Listener()
        await store.streams.join(key, listener)
        await add(store, key, 1)
        await listener.next()
        for n in range(2, 5):
            await store.streams.join(f"{key}:{n}", listener)
            await add(store, f"{key}:{n}", n)
            assert numbers(await listener.next()) == [n]

    follow(own_valkey.url.replace("//", "//plain:secret@"), namespace, test)
    assert [record.message for record in caplog.records].count("follower.not_woken") == 1


def test_a_follower_leaves_a_server_that_has_become_a_replica(
    own_valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory, namespace: str
) -> None:
    """The address leads to the new master, so a connection to it hears what happens; the old one would hear nothing."""
    other = ValkeyServer(tmp_path_factory.mktemp("other")).start()
    try:
        asyncio.run(_switch(own_valkey, other, f"{namespace}:stream"))
    finally:
        other.stop()


async def _switch(first: ValkeyServer, second: ValkeyServer, key: str) -> None:
    target = first
    ends: list[asyncio.StreamWriter] = []
    links: list[asyncio.Task[Any]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (link := asyncio.current_task()) is not None:
            links.append(link)
        there, back = await asyncio.open_connection("127.0.0.1", target.port)
        ends.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    address = await asyncio.start_server(lead, "127.0.0.1")
    (place,) = [socket.getsockname()[1] for socket in address.sockets]
    async with AsyncStore(f"redis://127.0.0.1:{place}/") as store:
        listener = Listener()
        await store.streams.join(key, listener)
        await add(store, key, 1)
        await listener.next()
        target = second
        await asyncio.to_thread(first.command, "REPLICAOF", "127.0.0.1", second.port)
        heard: list[StreamUpdate] = []
        value = 2
        while not any(n >= 2 for update in heard for n in numbers(update)):
            with contextlib.suppress(StoreRefused, StoreUnavailable):
                await add(store, key, value)
                value += 1
            with contextlib.suppress(asyncio.QueueEmpty):
                while True:
                    heard.append(listener.heard.get_nowait())
            await asyncio.sleep(0)
        assert any(update.interrupted for update in heard)
    address.close()
    for end in ends:
        end.close()
    await asyncio.wait(links)
    await address.wait_closed()
