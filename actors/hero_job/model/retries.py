"""Decides whether, and after how long, a failed run is repeated. Pure; called by the lanes."""

from __future__ import annotations

import os
from collections.abc import Callable

#: Errors of the runtime that a retry cannot fix. Engines mark their own with `Failed.permanent`.
PERMANENT = frozenset(
    {
        "damaged",
        "stopped",
        "expired",
        "prerequisite_failed",
        "engine_unavailable",
        "result_too_large",
        "result_not_presentable",
    }
)

#: First pause, in seconds. Each further pause is twice as long.
FIRST_S = 1.0
#: Longest pause, in seconds.
LONGEST_S = 300.0


def _roll() -> float:
    # The library `random` would add 3 ms of import to each start of an actor.
    return int.from_bytes(os.urandom(6), "big") / 2**48


def retry_in_s(kind: str, failures: int, retries: int, roll: Callable[[], float] = _roll) -> float | None:
    """Decide whether a failed run is repeated.

    Args:
        kind: Kind of the error.
        failures: How often the job had failed before.
        retries: How often a failed run may be repeated.
        roll: Returns random numbers in [0, 1).

    Returns:
        Seconds to wait, or None if the run is not repeated. The pause doubles each time up to `LONGEST_S`; chance takes
        up to half of it away, so that jobs which failed together do not all run again together.
    """
    if failures >= retries or kind in PERMANENT:
        return None
    pause_s = min(FIRST_S * 2.0 ** min(failures, 30), LONGEST_S)
    return pause_s * (1 - roll() / 2)
