"""Tells the service manager and the log how many actors take jobs.

Owned here: the line of text beside the service's state, the moment of READY, and the watchdog's sign of life. The
service calls `tick` from the loop that supervises the actors, so the watchdog notices when that loop hangs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hero_supervisor.children.child_view import SlotPhase
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.systemd.notify import Notifier

log = logging.getLogger(__name__)

#: Slots that the line of text names at most.
_MAX_NAMED = 8


class ServiceStatus:
    """The status of one service.

    Args:
        notifier: Speaks to the service manager.
        phases: Gives the phases of the actors as they are now.
    """

    def __init__(self, notifier: Notifier, phases: Callable[[], tuple[SlotPhase, ...]]) -> None:
        self._notifier = notifier
        self._phases = phases
        self._watchdog_due_mono = 0.0

    def ready(self, store: str) -> None:
        """Say that the service is up.

        Args:
            store: Which store it uses: `embedded` or `external`.
        """
        slots = self._phases()
        log.info("service.ready", extra={"store": store, "ready": _ready_count(slots), "of": len(slots)})
        self._notifier.ready()

    def tick(self) -> None:
        """Update the line of text, and give the watchdog its sign of life when that is due."""
        slots = self._phases()
        not_ready = [
            f"{slot.slot} {'unavailable' if slot.unavailable else slot.phase}"
            for slot in slots
            if not _takes_jobs(slot)
        ]
        text = f"{len(slots) - len(not_ready)} of {len(slots)} actors ready"
        self._notifier.status(text + (f": {', '.join(not_ready[:_MAX_NAMED])}" if not_ready else ""))
        if self._notifier.watchdog_s is not None:
            now_mono = asyncio.get_running_loop().time()
            if now_mono >= self._watchdog_due_mono:
                self._watchdog_due_mono = now_mono + self._notifier.watchdog_s
                self._notifier.alive()


def _takes_jobs(slot: SlotPhase) -> bool:
    return slot.phase is Phase.RUNNING and not slot.unavailable


def _ready_count(slots: tuple[SlotPhase, ...]) -> int:
    return sum(map(_takes_jobs, slots))
