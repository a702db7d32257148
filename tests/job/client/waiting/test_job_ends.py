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
