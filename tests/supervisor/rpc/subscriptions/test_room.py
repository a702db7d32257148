"""Subscriptions of one connection share its room: each one that waits hears when another makes some."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from hero_supervisor.rpc.protocol.push import PushChannel
from hero_supervisor.rpc.subscriptions import subscription as module
from hero_supervisor.rpc.subscriptions.subscription import Subscription
from tests.eventually import GENEROUS_S


class Feed:
    """Feeds nothing."""

    async def begin(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_all_that_wait_for_room_hear_of_it_no_matter_whose_messages_went(order: tuple[int, ...]) -> None:
    sent: list[bytes] = []
    reads = asyncio.Event()

    async def send(message: bytes) -> None:
        await reads.wait()
        sent.append(message)

    async def main() -> None:
        channel = PushChannel("test", send)
        several = [Subscription(channel, "test", 100) for _ in range(3)]
        for one in several:
            one.feed = Feed()
        big = "x" * (module.MAX_QUEUED_BYTES // 2 + 1)
        several[order[0]].put(big)
        waiting = [several[n].run(several[n].put_patiently(f"from {n}")) for n in order]
        for one in several:
            one.start()
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        reads.set()
        async with asyncio.timeout(GENEROUS_S):
            await asyncio.gather(*waiting)
            while len(sent) < 4:  # noqa: ASYNC110 - only this loop sends
                await asyncio.sleep(0)
        for one in several:
            one.close()

    asyncio.run(main())
