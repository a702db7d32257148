"""Which calls may be made again when it is not known whether they arrived, and when to do so. Pure.

Invariant: only calls are named that `rpc.discover` calls `safe` (`x-repeat`), and `create_job`, which always has an id
here; a test compares.
"""

from __future__ import annotations

import random
from typing import Final

REPEATABLE: Final = frozenset(
    {"create_job", "stop_job", "pause_queue", "resume_queue", "create_schedule", "pause_schedule", "resume_schedule"}
    | {"explain_job", "search_jobs", "find_objects", "health", "stats", "version", "whoami"}
)
_LOOKS: Final = ("get_", "list_", "wait_")
#: The store cannot be reached, or the server stops: the call may or may not have taken effect.
UNCERTAIN: Final = frozenset({1101, 1203})
#: How long a client goes on by default, in seconds.
PATIENCE_S: Final = 60.0


def may_repeat(method: str) -> bool:
    """Tell whether a method may be called again."""
    return method in REPEATABLE or method.startswith(_LOOKS)


def pause_s(tries: int) -> float:
    """Return the pause after some tries, in seconds: twice as long each time, and not the same for all clients."""
    return float(min(0.25 * 2**tries, 10.0) * random.uniform(0.5, 1.0))
