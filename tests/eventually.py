"""Waits for a condition by polling it: the only way in which a test lets time pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], *, within_s: float = 20.0, every_s: float = 0.01, what: str = "") -> T:
    """Call ``probe`` until it returns something true and does not raise ``AssertionError``.

    Args:
        probe: Called again and again; its last value is returned.
        within_s: Generous limit in seconds. It bounds a failing test, it never measures speed.
        every_s: Pause between two calls, in seconds.
        what: Named in the failure.

    Returns:
        The first true value.

    Raises:
        AssertionError: The limit passed; carries the last value or the last assertion.
    """
    deadline_mono = time.monotonic() + within_s
    while (value := _look(probe, deadline_mono, within_s, what)) is None:
        time.sleep(every_s)
    return value


async def eventually_async(
    probe: Callable[[], T], *, within_s: float = 20.0, every_s: float = 0.005, what: str = ""
) -> T:
    """Do the same on a running loop, which turns between two calls. See `eventually`."""
    deadline_mono = time.monotonic() + within_s
    while (value := _look(probe, deadline_mono, within_s, what)) is None:  # noqa: ASYNC110  what is waited for is another process
        await asyncio.sleep(every_s)
    return value


def _look(probe: Callable[[], T], deadline_mono: float, within_s: float, what: str) -> T | None:
    """Call the probe once; None when it is to be called again."""
    failure: AssertionError | None = None
    value = None
    try:
        value = probe()
    except AssertionError as e:
        failure = e
    if failure is None and value:
        return value
    if time.monotonic() > deadline_mono:
        raise failure or AssertionError(f"not within {within_s} s: {what or probe}; last value {value!r}")
    return None
