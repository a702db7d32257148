"""What a store knows of its primary: the interface of a watch, and the listeners that it tells.

`Store` and `AsyncStore` use one for sentinels and for a cluster. Without it a client would ask who is the primary only
when its connection breaks: it would go on writing to one that has been replaced, whose data is thrown away, and wait
for one that is frozen. Invariant: nothing here runs on the path of an operation.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from hero_job.client.url import Address, StoreUrl

#: Seconds between two questions to a server that tells nothing by itself.
BEAT_S: Final = 0.5
#: What a server told counts for so many seconds after it was last heard.
FORGET_S: Final = 5.0
#: A server that does not answer within this many seconds is asked on a new connection.
ANSWER_S: Final = 2.0

#: May a connection to this address go on?
MayStay = Callable[[Address | None], bool]
#: Told about twice a second, in a thread of the watch.
OnNews = Callable[[MayStay], None]


class PrimaryWatch(ABC):
    """Watches those who know the primary of one URL, in threads that end with the last store.

    Args:
        url: Names them.
    """

    def __init__(self, url: StoreUrl) -> None:
        self.url = url
        self.ended = threading.Event()
        self.changed = threading.Condition()
        self._listeners: list[OnNews] = []

    @abstractmethod
    def primary(self, timeout_s: float, last: Address | None) -> Address:
        """Give the address to connect to.

        Args:
            timeout_s: Longest time to wait for news, in seconds.
            last: Where the caller was connected before, if it was.

        Raises:
            StoreUnavailable: Nobody who knows it answers; says why for each.
        """

    def listen(self, listener: OnNews) -> None:
        """Have a listener told, again and again, which connections may go on."""
        with self.changed:
            self._listeners.append(listener)

    def forget(self, listener: OnNews) -> bool:
        """Stop telling a listener; returns whether it was the last."""
        with self.changed:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)
            return not self._listeners

    def tell(self, may_stay: MayStay) -> None:
        """Tell all listeners."""
        with self.changed:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(may_stay)

    def end(self) -> None:
        """End the threads, each with its next beat."""
        self.ended.set()

    def follow(self, name: str, step: Callable[[], None]) -> None:
        """Start a thread that does something again and again until the end; it may take a beat each time."""

        def run() -> None:
            while not self.ended.is_set():
                step()

        threading.Thread(target=run, name=name, daemon=True).start()


def is_fresh(told_mono: float) -> bool:
    """Does what was told then still count?"""
    return time.monotonic() - told_mono < FORGET_S
