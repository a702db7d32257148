"""Waiters for the ends of jobs: how often those that hear nothing look for themselves, and when ends are heard."""

from __future__ import annotations

import asyncio
import contextlib

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import GLANCE_S
from hero_job.client.streams import StreamFollower, StreamUpdate
from hero_job.client.waiting.job_ends import JobEnds
from hero_job.operations.operations import Operations
from tests.valkey_server import ValkeyServer


def test_very_many_waiters_together_look_no_more_often_than_a_thousand_times_a_second(
    valkey: ValkeyServer, operations: Operations
) -> None:
    async def measure() -> list[float]:
        store = AsyncStore(valkey.url)
        ends = JobEnds(StreamFollower(store, "test", 100), operations.keys.events, store._groups)
        found = [ends.glance_s]
        with contextlib.ExitStack() as waiters:
            for number in (2_000, 5_000, 10_000):
                for n in range(number):
                    waiters.enter_context(ends.watch(f"job-{number}-{n}", operations.outcome(f"job-{number}-{n}")))
                found.append(ends.glance_s)
        found.append(ends.glance_s)
        await ends.aclose()
        await store.aclose()
        return found

    assert asyncio.run(measure()) == [GLANCE_S, GLANCE_S, 7.0, 17.0, GLANCE_S]


def test_ends_count_as_heard_from_the_resumption_on_until_the_store_is_away(
    valkey: ValkeyServer, operations: Operations
) -> None:
    async def main() -> list[bool]:
        async with AsyncStore(valkey.url) as store:
            ends = JobEnds(StreamFollower(store, "test", 100), operations.keys.events, store._groups)
            away, back = StreamUpdate(interrupted=True, cursor="1-0"), StreamUpdate(resumed=True, cursor="1-0")
            heard = []
            for update in (away, back, StreamUpdate(cursor="2-0"), away):
                await ends.hear(update)
                heard.append(ends.following.is_set())
            await ends.aclose()
            return heard

    assert asyncio.run(main()) == [False, True, True, False]


def test_waiters_share_a_timer_and_each_waits_its_whole_time(valkey: ValkeyServer, operations: Operations) -> None:
    async def main() -> tuple[list[float], int]:
        loop = asyncio.get_running_loop()
        async with AsyncStore(valkey.url) as store:
            follower = StreamFollower(store, "test", 100)
            ends = JobEnds(follower, operations.keys.events, store._groups)

            async def wait(name: str) -> float:
                with ends.watch(name, operations.outcome(name)) as waiter:
                    began = loop.time()
                    assert await waiter.wait(GLANCE_S) is None
                    return loop.time() - began

            first, given_up = asyncio.ensure_future(wait("first")), asyncio.ensure_future(wait("given-up"))
            await asyncio.sleep(GLANCE_S / 4)
            given_up.cancel()
            second = asyncio.ensure_future(wait("second"))
            waited = list(await asyncio.gather(first, second))
            waited.append(await wait("after all others"))
            left = len(ends._glances._due)
            await ends.aclose()
            await follower.aclose()
            return waited, left

    waited, left = asyncio.run(main())

    assert all(one_s >= GLANCE_S * 0.99 for one_s in waited), waited
    assert left == 0
