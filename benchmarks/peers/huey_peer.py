"""Drives Huey in the comparison: the no-op is a task with stored results.

Worker: `huey_consumer huey_peer.huey -w 1 -k thread`.

`notify_result` wakes a waiter, who would poll otherwise: a round trip takes 0.7 ms instead of 51 ms.
"""

from __future__ import annotations

import logging

from huey import RedisHuey
from protocol import REDIS_URL, drive

huey = RedisHuey("bench", url=REDIS_URL, notify_result=True)
logging.getLogger("huey").setLevel(logging.WARNING)


@huey.task()
def answer() -> int:
    return 40 + 2


def round_trip() -> object:
    return answer().get(blocking=True, timeout=20)


def burst(width: int) -> list[object]:
    return [result.get(blocking=True, timeout=20) for result in [answer() for _ in range(width)]]


if __name__ == "__main__":
    # Huey names a task by its module, which must not be `__main__`: the consumer imports it as `huey_peer`.
    import huey_peer

    drive(huey_peer.answer, huey_peer.round_trip, huey_peer.burst)
