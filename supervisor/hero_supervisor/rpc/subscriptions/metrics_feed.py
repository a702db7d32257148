"""The feed of metrics: figures of the deployment at intervals, read once for all subscriptions of a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from hero_job.model.errors import StoreError
from hero_supervisor.rpc.methods.results import Stats, time_text
from hero_supervisor.rpc.subscriptions import notices
from hero_supervisor.rpc.subscriptions.subscription import Subscription


class Snapshots:
    """The figures of the deployment, read once for all feeds that want them at about the same time.

    Args:
        read: Reads the figures.
    """

    #: Figures are read again when they are older than this, in seconds.
    FRESH_S: Final = 0.4

    def __init__(self, read: Callable[[], Awaitable[Stats]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._taken_mono = -1.0
        self._last: Stats

    async def take(self) -> Stats:
        """Return figures that are fresh enough.

        Raises:
            StoreError: The store cannot be reached.
        """
        async with self._lock:
            if self._taken_mono < 0 or time.monotonic() - self._taken_mono > self.FRESH_S:
                self._last = await self._read()
                self._taken_mono = time.monotonic()
            return self._last


class MetricsFeed:
    """The feed of metrics.

    Args:
        snapshots: Provides the figures.
        subscription: Gets the results.
        interval_s: Seconds between two results.
    """

    def __init__(self, snapshots: Snapshots, subscription: Subscription, interval_s: float) -> None:
        self._snapshots = snapshots
        self._subscription = subscription
        self._interval_s = interval_s

    async def begin(self) -> None:
        """Begin with the current figures."""
        self._subscription.run(self._produce())

    def close(self) -> None:
        """Do nothing: the feed is only a task, which the subscription cancels."""

    async def _produce(self) -> None:
        away = False
        due_mono = time.monotonic()
        while True:
            try:
                stats = await self._snapshots.take()
            except StoreError:
                if not away:
                    self._subscription.put(notices.notice("interrupted", None))
                away = True
            else:
                if away:
                    self._subscription.put(notices.notice("resumed", None))
                away = False
                at = time_text(int(time.time() * 1000))
                event: notices.MetricsEvent = {"event": "metrics", "at": at, "stats": stats}
                self._subscription.put(event)
            due_mono = max(due_mono + self._interval_s, time.monotonic())
            await asyncio.sleep(due_mono - time.monotonic())
