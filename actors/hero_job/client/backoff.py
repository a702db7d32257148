"""How long to wait between two tries while the store is away.

Every loop that tries again makes a `Backoff` of its own: the two stores, the followers of streams, and the lanes and
listeners of an actor. Invariant: the waits of one outage double from 50 ms to a second, each shortened at random, so
that the clients of a store do not all return in the same instant.
"""

from __future__ import annotations

import os
import time

from hero_job.model.errors import HeroJobError

# A store that restarts is back within a second or two: a longer wait would be most of the outage that clients notice.
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0


class Backoff:
    """Counts the failures in a row, and says how long to wait after each."""

    __slots__ = ("_wait_s", "since_mono")

    def __init__(self) -> None:
        self._wait_s = _FIRST_WAIT_S
        #: Monotonic time of the first failure in a row; None after a success.
        self.since_mono: float | None = None

    def next_wait_s(self) -> float:
        """Note a failure.

        Returns:
            How long to wait before the next try, in seconds.
        """
        if self.since_mono is None:
            self.since_mono = time.monotonic()
        wait_s = self._wait_s
        self._wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        # `random` would add 3 ms of import to each start of an actor.
        return wait_s * (0.5 + os.urandom(1)[0] / 512)

    def next_wait_before(self, deadline_mono: float, error: HeroJobError) -> float:
        """Note a failure, unless the caller's time is up.

        Args:
            deadline_mono: Monotonic time at which the caller gives up.
            error: What the failed try raised, or what the end of the wait means.

        Returns:
            How long to wait before the next try, in seconds, and not beyond the deadline.

        Raises:
            HeroJobError: The given error; the deadline has passed.
        """
        left_s = deadline_mono - time.monotonic()
        if left_s <= 0:
            raise error
        return min(self.next_wait_s(), left_s)

    def reset(self) -> None:
        """Note a success."""
        if self.since_mono is not None:
            self.since_mono = None
            self._wait_s = _FIRST_WAIT_S
