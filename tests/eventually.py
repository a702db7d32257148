"""Waits for a condition by polling it, so that no test depends on the speed of the machine.

The condition must stay true once it is true. A state that may be over before the next look, such as a queue that fills
and empties, makes a test flaky: wait for something that remains, such as a result, or a counter that only grows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which a condition counts as never true. It ends failing tests; machines may be very slow.
GENEROUS_S = 150.0


def eventually(probe: Callable[[], T], *, within_s: float = GENEROUS_S, every_s: float = 0.01, what: str = "") -> T:
    """Call `probe` until it returns a true value without raising `AssertionError`.

    Args:
        probe: Called at least once.
        within_s: Generous limit in seconds. It ends a failing test; it does not measure speed.
        every_s: Pause between two calls, in seconds.
        what: What the test waits for; part of the failure message.

    Returns:
        The first true value.

    Raises:
        AssertionError: The limit has passed. Carries the last value or the last assertion.
    """
    deadline_mono = time.monotonic() + within_s
    while (value := _look(probe, deadline_mono, within_s, what)) is None:
        time.sleep(every_s)
    return value


async def eventually_async(
    probe: Callable[[], T], *, within_s: float = GENEROUS_S, every_s: float = 0.005, what: str = ""
) -> T:
    """Do the same on a running event loop, without blocking it. See `eventually`."""
    deadline_mono = time.monotonic() + within_s
    while (value := _look(probe, deadline_mono, within_s, what)) is None:  # noqa: ASYNC110  another process changes it
        await asyncio.sleep(every_s)
    return value


def _look(probe: Callable[[], T], deadline_mono: float, within_s: float, what: str) -> T | None:
    """Call the probe once; return None if it has to be called again."""
    failure: AssertionError | None = None
    value = None
    try:
        value = probe()
    except AssertionError as e:
        failure = e
    if failure is None and value:
        return value
    if time.monotonic() > deadline_mono:
        raise failure or AssertionError(f"not within {within_s:g} s: {what or probe}; last value {value!r}")
    return None
