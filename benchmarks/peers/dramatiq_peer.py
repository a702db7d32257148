"""Drives Dramatiq in the comparison: the no-op is an actor with stored results.

Worker: `dramatiq dramatiq_peer --processes 1 --threads 1`.
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from protocol import REDIS_URL, drive

broker = RedisBroker(url=REDIS_URL)
broker.add_middleware(Results(backend=RedisBackend(url=REDIS_URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench", store_results=True)
def answer() -> int:
    return 40 + 2


def round_trip() -> object:
    return answer.send().get_result(block=True, timeout=20_000)


def burst(width: int) -> list[object]:
    return [message.get_result(block=True, timeout=20_000) for message in [answer.send() for _ in range(width)]]


if __name__ == "__main__":
    drive(answer.send, round_trip, burst)
