"""What the threads of an actor know and log about a store that they cannot reach.

Lanes, beat and stop listener report failures and successes here. Invariant: an outage is logged once when it begins and
once when it ends, however many threads notice it.
"""

from __future__ import annotations

import logging
import threading
import time

from hero_job.model.errors import StoreError, StoreRefused

log = logging.getLogger(__name__)


class StoreOutage:
    """The threads of this process that cannot reach the store, by name. Thread-safe."""

    __slots__ = ("_lock", "_since_mono", "_threads")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[str] = set()
        self._since_mono = 0.0

    @property
    def active(self) -> bool:
        """Is there a thread that cannot reach the store?"""
        return bool(self._threads)

    def begin(self, thread: str, error: StoreError) -> None:
        """Note that a thread cannot reach the store, and log it if it is the first one.

        Args:
            thread: Name of the thread: a lane, the beat, ...
            error: The error of the store's client, which hides the password of the URL.
        """
        with self._lock:
            first = not self._threads
            self._threads.add(thread)
            if first:
                self._since_mono = time.monotonic()
        if first:
            # A server that answers is not away.
            event = "store.refused" if isinstance(error, StoreRefused) else "store.lost"
            log.warning(event, extra={"who": thread, "error": str(error), "next": "retrying until it is back"})

    def end(self, thread: str) -> None:
        """Note that the store has answered a thread, and log it if no other thread is waiting for an answer."""
        if not self._threads:
            return
        with self._lock:
            if thread not in self._threads:
                return
            self._threads.discard(thread)
            last = not self._threads
            down_s = time.monotonic() - self._since_mono
        if last:
            log.info("store.back", extra={"down_s": round(down_s, 3)})
