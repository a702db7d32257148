"""Measures how long a server's event loop is held: the CPU time of its thread between two turns of the loop.

CPU time of that thread, not the clock, so that neither other processes nor the test's own threads count; and relative
to a piece of work of known size, so that a slow machine is allowed more.
"""

from __future__ import annotations

import asyncio
import gc
import time
from types import TracebackType
from typing import Final, Self

import orjson

from tests.supervisor.rpc.running_server import RunningServer

#: The longest turn, in milliseconds on an idle machine that takes `REFERENCE_MS` for the piece of work.
MOST_MS: Final = 50.0
#: What CPU time varies by on a machine with other work, whose caches and host others use, too. At real-time priority,
#: on two cores of a shared host, the worst input of tests/security/test_loop_lag.py takes 45 ms, the others less than
#: 35. What has no bound takes hundreds of times as long.
NOISE: Final = 4.0
#: A test may measure again: other work makes some turns longer, and a defect makes all of them longer.
ATTEMPTS: Final = 4
REFERENCE_MS: Final = 10.0
_WORK: Final = orjson.dumps([{"name": f"n{n}", "values": [n] * 20} for n in range(5_000)])


def machine_factor() -> float:
    """How much slower than the reference this machine is now; at least 1."""

    def work_ms() -> float:
        began_ns = time.thread_time_ns()
        for one in orjson.loads(_WORK):
            len(one["values"])
        return (time.thread_time_ns() - began_ns) / 1e6

    return max(1.0, min(work_ms() for _ in range(5)) / REFERENCE_MS)


def most_ms() -> float:
    """The longest turn that a test may see here and now."""
    return MOST_MS * NOISE * machine_factor()


class LoopProbe:
    """Watches the loop of a server while it is entered.

    Attributes:
        longest_ms: The longest turn of the loop, in milliseconds of CPU time.
    """

    def __init__(self, server: RunningServer) -> None:
        self.longest_ms = 0.0
        self._server = server
        self._loop: asyncio.AbstractEventLoop
        self._last_ns = 0
        self._watching = False

    def __enter__(self) -> Self:
        async def begin() -> None:
            self._loop = asyncio.get_running_loop()
            self._watching = True
            self._last_ns = time.thread_time_ns()
            self._loop.call_soon(self._turn)

        # A collection in the loop's thread must not look at all objects of the test process. They stay frozen: what
        # the session has frozen would thaw with them, and each later test that runs a loop would look at all of it.
        gc.collect()
        gc.freeze()
        self._server.run(begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            self._watching = False

        self._server.run(end())

    def _turn(self) -> None:
        now_ns = time.thread_time_ns()
        turn_ms = (now_ns - self._last_ns) / 1e6
        self.longest_ms = max(self.longest_ms, turn_ms)
        self._last_ns = now_ns
        if self._watching and turn_ms < 1:
            # Not call_soon: an idle loop would spin, and its thread take the time of those that it serves.
            self._loop.call_later(0.001, self._turn)
        elif self._watching:
            self._loop.call_soon(self._turn)
