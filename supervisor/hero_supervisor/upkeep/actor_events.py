"""Writes what this supervisor sees of its actors to the deployment's stream of actor events.

The scripts that join and recover actors write when an actor comes or goes. Only a supervisor knows the rest: that a
process was started, is ready, drains, was killed, or is held. `children/slot.py` adds events; the service runs the task
that writes them. Invariants: adding an event never waits, and costs a bounded amount of memory while the store is
away; an event that is sent again, after a lost answer, is written once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import StoreError
from hero_job.operations.events import Events

#: Events that wait for the store. Beyond that the oldest are dropped.
MAX_WAITING: Final = 256
_PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotEvent:
    """What has happened to the process of a slot.

    Attributes:
        event: What has happened, in one word.
        slot: Name of the slot.
        script_type: Script type that it serves, as in the names of queues.
        incarnation: Incarnation of its process; empty without one.
        reason: Why, in words; empty for no reason.
    """

    event: str
    slot: str
    script_type: str
    incarnation: str
    reason: str = ""


@dataclass(slots=True)
class _Waiting:
    """An event that the store is yet to take; `sent` when the answer to it was lost, or none came."""

    fields: Mapping[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    sent: bool = False


class ActorEvents:
    """Takes events of actors and writes them to the stream.

    Args:
        store: Where the stream is.
        events: Builds the operations.
        host: Name of this machine, as it stands in incarnations.
    """

    def __init__(self, store: AsyncStore, events: Events, host: str) -> None:
        self._store = store
        self._events = events
        self._host = host
        self._waiting: deque[_Waiting] = deque(maxlen=MAX_WAITING)
        self._filled = asyncio.Event()

    def add(self, event: SlotEvent) -> None:
        """Take one event; `run` writes it."""
        fields = {
            "event": event.event,
            "name": event.slot,
            "suffix": event.script_type,
            "host": self._host,
            "incarnation": event.incarnation,
            "reason": event.reason,
        }
        self._waiting.append(_Waiting({name: value for name, value in fields.items() if value}))
        self._filled.set()

    async def run(self) -> None:
        """Write the events, until cancelled."""
        away = False
        while True:
            while self._waiting:
                one = self._waiting.popleft()
                try:
                    await self._store.run(self._events.note(one.fields, one.token, again=one.sent))
                except StoreError as e:
                    if not away:
                        log.warning("news.not_written", extra={"error": str(e)})
                    away = one.sent = True
                    if len(self._waiting) < MAX_WAITING:
                        self._waiting.appendleft(one)
                    await asyncio.sleep(_PAUSE_S)
                else:
                    away = False
            self._filled.clear()
            await self._filled.wait()
