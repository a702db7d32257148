"""What each event of the log means, and what an operator does about it.

`scripts/reference_pages.py` writes docs/reference/log-events.md of it. Invariant: it has every event that the programs
write, and no other; tests/test_log_events.py compares it with the code, which also knows the levels. No program imports
it while it runs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hero_config.logs.actor_rows import ACTOR_ROWS
from hero_config.logs.service_rows import SERVICE_ROWS


class KnownEvent(NamedTuple):
    """One event.

    Attributes:
        name: What stands in the log.
        meaning: When it is written, in one sentence or two.
        cure: What an operator does; "" if nothing.
    """

    name: str
    meaning: str
    cure: str


EVENTS: Final = tuple(KnownEvent(*row) for row in sorted((*SERVICE_ROWS, *ACTOR_ROWS)))
