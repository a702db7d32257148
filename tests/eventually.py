"""Wait for a condition by polling it: the only way in which a test lets time pass."""

from __future__ import annotations

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
    while True:
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
        time.sleep(every_s)
