"""What this supervisor sees of its actors, told to all who follow them, on whichever host.

The scripts that join and recover tell of what comes and goes; only a supervisor knows the rest: that a process was
started, is ready, drains, was killed, or is held. `slot.py` says so here, and `Service` runs the task that writes it to
the actors' stream. Invariant: telling never waits, and costs a bounded amount of memory while the store is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Final

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import StoreError
from hero_job.operations.events import Events

#: News that wait for the store; the oldest give way.
MAX_WAITING: Final = 256
_PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


class News:
    """Tells of actors.

    Args:
        store: Where the stream is.
        events: Builds the operations.
        host: Name of this machine, as it stands in incarnations.
    """

    def __init__(self, store: AsyncStore, events: Events, host: str) -> None:
        self._store = store
        self._events = events
        self._host = host
        self._waiting: deque[Mapping[str, str]] = deque(maxlen=MAX_WAITING)
        self._filled = asyncio.Event()

    def tell(self, event: str, name: str, script_type: str, incarnation: str, reason: str) -> None:
        """Take one piece of news.

        Args:
            event: What has happened, in a word.
            name: Of the slot.
            script_type: That it serves, as in queue names.
            incarnation: Of its process; empty without one.
            reason: Why, in words; empty for none.
        """
        fields = {
            "event": event,
            "name": name,
            "suffix": script_type,
            "host": self._host,
            "incarnation": incarnation,
            "reason": reason,
        }
        self._waiting.append({field: value for field, value in fields.items() if value})
        self._filled.set()

    async def run(self) -> None:
        """Write the news; goes on until cancelled."""
        away = False
        while True:
            while self._waiting:
                fields = self._waiting.popleft()
                try:
                    await self._store.run(self._events.note(fields))
                except StoreError as e:
                    if not away:
                        log.warning("news.not_written", extra={"error": str(e)})
                    away = True
                    if len(self._waiting) < MAX_WAITING:
                        self._waiting.appendleft(fields)
                    await asyncio.sleep(_PAUSE_S)
                else:
                    away = False
            self._filled.clear()
            await self._filled.wait()
