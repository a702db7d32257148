"""What an actor logs about an outage of its store: one line when the outage begins and one when it ends."""

from __future__ import annotations

import logging
import threading
import time

from hero_job.model.errors import StoreError

log = logging.getLogger(__name__)


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
