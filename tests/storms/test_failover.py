"""Failovers: clients leave a primary that the sentinels have replaced, also one that still answers, or is frozen."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

import pytest

from hero_job import StoreError, StoreRefused, StoreUnavailable
from hero_job.client import async_store, connection
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import GENEROUS_S, eventually
from tests.job.client.test_topologies import HASTY_MS, Sentinels, actor, sentinels
from tests.job.conftest import MakeJob, make_job
from tests.storms.submitters import Submitters
from tests.valkey_server import ValkeyServer

__all__ = ["make_job", "sentinels"]

WHERE = Op(("INFO", "server"), str)


def is_on(server: ValkeyServer, info: str) -> bool:
    return f"tcp_port:{server.port}\r" in info


def fail_over(url: str) -> None:
    """Have the sentinels promote the replica, as for maintenance."""
    (first, *_) = url.partition("://")[2].split(",")
    with Store(f"redis://{first}/") as sentinel:

        def accepted() -> bool:
            try:
                sentinel.run(Op(("SENTINEL", "FAILOVER", "hero"), lambda answer: answer))
            except StoreRefused as e:
                # On a machine that stands still, its last news of the replica may be too old.
                if e.code != "NOGOODSLAVE":
                    raise
                return False
            return True

        eventually(accepted, every_s=0.1, what="the sentinel takes the replica for a good one")


def keep_as_primary(server: ValkeyServer) -> None:
    """Let the sentinels replace it, but never make it a replica, so that it goes on acknowledging."""
    server.command("ACL", "SETUSER", "default", "-slaveof", "-replicaof")


async def eventually_async(ask: Callable[[], Awaitable[bool]], within_s: float = GENEROUS_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            with contextlib.suppress(StoreError):
                if await ask():
                    return
            await asyncio.sleep(0.05)


def test_clients_leave_a_primary_that_was_replaced_and_goes_on_answering(
    sentinels: Sentinels, namespace: str, make_job: MakeJob
) -> None:
    url, old, new = sentinels.url, sentinels.master, sentinels.replica
    keep_as_primary(old)
    operations = Operations(namespace)

    async def test() -> None:
        with Store(url) as store:
            async with AsyncStore(url) as aio:
                assert is_on(old, store.run(WHERE))
                assert is_on(old, await aio.run(WHERE))
                await asyncio.to_thread(fail_over, url)

                async def both_have_left() -> bool:
                    there = await asyncio.to_thread(store.run, WHERE)
                    return is_on(new, there) and is_on(new, await aio.run(WHERE))

                await eventually_async(both_have_left)
                assert old.is_primary(), "it still takes writes"
                for _ in range(20):
                    job = make_job()
                    await aio.run(operations.create(job, start=True))
                    store.run(operations.status(job.id))
                    assert new.command("EXISTS", operations.keys.job(job.id)) == 1

    asyncio.run(test())


def test_blocked_lane_and_follower_of_a_frozen_primary_go_on_when_the_sentinels_have_given_it_up(
    sentinels: Sentinels, namespace: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, old, new = sentinels.url, sentinels.master, sentinels.replica
    operations, job = Operations(namespace), make_job()
    # Nothing but the news of the sentinels ends a wait.
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT_S", 3600.0)
    monkeypatch.setattr(async_store, "ANSWER_TIMEOUT_S", 3600.0)
    taken: list[str] = []

    async def test() -> None:
        with Store(url) as store:
            claims = actor(namespace)
            store.run(claims.join())

            def lane() -> None:
                while not taken:
                    with contextlib.suppress(StoreError):
                        taken.extend(filter(None, [store.run(claims.take(0))]))

            thread = threading.Thread(target=lane)
            thread.start()
            async with AsyncStore(url) as aio:
                assert is_on(old, await aio.run(WHERE))
                sentinels.be_patient(HASTY_MS)
                old.freeze()
                waiting = asyncio.create_task(eventually_async(lambda: on_new(aio)))
                await waiting
                await aio.run(operations.create(job, start=True))
            await asyncio.to_thread(thread.join)

    async def on_new(aio: AsyncStore) -> bool:
        return is_on(new, await aio.run(WHERE))

    try:
        asyncio.run(test())
    finally:
        old.thaw()
    assert taken == [job.id]


def test_news_of_a_sentinel_that_lags_behind_are_not_believed(sentinels: Sentinels) -> None:
    url, old, new = sentinels.url, sentinels.master, sentinels.replica
    keep_as_primary(old)
    with Store(url) as store:
        store.run(WHERE)
        fail_over(url)

        def has_left() -> bool:
            with contextlib.suppress(StoreError):
                return is_on(new, store.run(WHERE))
            return False

        eventually(has_left)
        for _ in range(20):  # each on a new connection
            with Store(url) as another:
                assert is_on(new, another.run(WHERE))


def test_nothing_that_a_replica_has_confirmed_is_lost_in_a_failover(
    sentinels: Sentinels, namespace: str, make_job: MakeJob
) -> None:
    url, old, new = sentinels.url, sentinels.master, sentinels.replica
    keep_as_primary(old)
    operations = Operations(namespace)
    submitters = Submitters(f"{url}?wait_replicas=1", namespace, make_job)
    with submitters.submitting():
        submitters.go_on("by the old primary", 25)
        fail_over(url)
        eventually(new.is_primary)
        # Nothing is acknowledged now, because the old primary has no replica, and neither has the new one.
        with Store(f"{url}?wait_replicas=1") as store:

            def refused() -> bool:
                try:
                    store.run(operations.create(make_job(), start=True))
                except StoreUnavailable as e:
                    return "replicas have taken the write" in str(e)
                return False

            eventually(refused)
    assert not submitters.lost(new.url)
