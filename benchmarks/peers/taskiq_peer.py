"""Drives Taskiq in the comparison: the no-op is an async task with stored results, list broker.

Worker: `taskiq worker taskiq_peer:broker`.

Waiting for a result polls. The interval is 1 ms, instead of the default of 200 ms.
"""

from __future__ import annotations

import asyncio

from protocol import REDIS_URL, drive
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

backend: RedisAsyncResultBackend = RedisAsyncResultBackend(REDIS_URL)
broker = ListQueueBroker(REDIS_URL, queue_name="bench").with_result_backend(backend)


@broker.task
async def answer() -> int:
    return 40 + 2


def main() -> None:
    loop = asyncio.new_event_loop()
    run = loop.run_until_complete
    run(broker.startup())

    async def round_trip() -> object:
        task = await answer.kiq()
        return (await task.wait_result(check_interval=0.001, timeout=20)).return_value

    async def burst(width: int) -> list[object]:
        return await asyncio.gather(*(round_trip() for _ in range(width)))

    async def submit() -> None:
        await answer.kiq()

    drive(lambda: run(submit()), lambda: run(round_trip()), lambda width: run(burst(width)))
    run(broker.shutdown())
    loop.close()


if __name__ == "__main__":
    main()
