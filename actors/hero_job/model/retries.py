"""When a failed job is repeated. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable

#: The runtime's own kinds of error that come again however often the job is run. Of theirs the engines tell themselves.
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

#: First pause, in seconds; doubled for each further one.
FIRST_S = 1.0
#: Longest pause, in seconds.
LONGEST_S = 300.0


def retry_in_s(kind: str, failures: int, retries: int, roll: Callable[[], float] = random.random) -> float | None:
    """Decide whether a failed run is repeated.

    Args:
        kind: Kind of its error.
        failures: How often the job had failed before.
        retries: How often it is to be repeated.
        roll: Gives chances in [0, 1).

    Returns:
        After how many seconds: the pause doubles each time up to its longest, less up to a half by chance, so that jobs
        which failed together do not come back together. None when it is not repeated.
    """
    if failures >= retries or kind in PERMANENT:
        return None
    pause_s = min(FIRST_S * 2.0 ** min(failures, 30), LONGEST_S)
    return pause_s * (1 - roll() / 2)
