"""What an actor says and does while its store is not reachable: one line when it begins, one when it is over, and waits
that grow.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from hero_job.model.errors import StoreError

log = logging.getLogger(__name__)

#: First and longest wait before another try, in seconds. A store that restarts is back within one or two; more than a
#: second between tries would be most of what its clients notice.
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0


class Outage:
    """Who in this process has trouble with the store: its lanes and its beat, each by name. Thread-safe."""

    __slots__ = ("_lock", "_since_mono", "_troubled")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubled: set[str] = set()
        self._since_mono = 0.0

    @property
    def active(self) -> bool:
        """Has anybody trouble?"""
        return bool(self._troubled)

    def begin(self, who: str, error: StoreError) -> None:
        """Note trouble. Logged when nobody else has any.

        Args:
            who: Name of a lane, or of the beat.
            error: What the store's client said; its URL has the password hidden.
        """
        with self._lock:
            first = not self._troubled
            self._troubled.add(who)
            if first:
                self._since_mono = time.monotonic()
        if first:
            log.warning("store.lost", extra={"who": who, "error": str(error), "next": "trying until it is back"})

    def end(self, who: str) -> None:
        """Note that the store has answered. Logged when nobody else has trouble."""
        if not self._troubled:
            return
        with self._lock:
            if who not in self._troubled:
                return
            self._troubled.discard(who)
            last = not self._troubled
            down_s = time.monotonic() - self._since_mono
        if last:
            log.info("store.back", extra={"down_s": round(down_s, 3)})


class Backoff:
    """Waits that double up to a limit, each shortened at random so that a host's actors do not come back as one."""

    __slots__ = ("_wait_s", "since_mono")

    def __init__(self) -> None:
        self._wait_s = _FIRST_WAIT_S
        #: When the first of the failures in a row was; None while there are none.
        self.since_mono: float | None = None

    def next_wait_s(self) -> float:
        """Note a failure.

        Returns:
            How long to wait now, in seconds.
        """
        if self.since_mono is None:
            self.since_mono = time.monotonic()
        wait_s = self._wait_s
        self._wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        # Not `random`: its import costs an actor 3 ms at each start.
        return wait_s * (0.5 + os.urandom(1)[0] / 512)

    def reset(self) -> None:
        """Note a success."""
        if self.since_mono is not None:
            self.since_mono = None
            self._wait_s = _FIRST_WAIT_S
