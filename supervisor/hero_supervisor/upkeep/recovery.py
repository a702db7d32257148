"""Hands back the jobs of the dead: at once those of our own children, in rounds those of anybody whose lease has ended.

Owned here: when the store's recovery is called, and what is owed to it while the store is away. Called by
`supervise.py` (a child has ended) and run by `service.py`. Invariant: an incarnation that was seen to end is recovered
as soon as the store can be reached; nothing about it is kept on disk, since its lease would end anyway.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from hero_job.client.async_store import AsyncStore, end_task
from hero_job.model.errors import StoreError
from hero_job.operations.actor_operations import Recoveries, Recovery

log = logging.getLogger(__name__)

#: Rounds are up to this part shorter than planned, so that many supervisors do not all sweep at the same moment.
_SPREAD = 0.2
#: After so many seconds the claimed lists of a process that was seen to end are looked at once more.
_AGAIN_S = 0.1


class Sweep:
    """Recovers incarnations of one namespace.

    Args:
        store: Where the jobs are.
        recoveries: Builds the operations.
        every_s: Seconds between two rounds.
        lease_s: How long an actor may be silent, in seconds.
        roll: Gives chances in [0, 1).
    """

    def __init__(
        self,
        store: AsyncStore,
        recoveries: Recoveries,
        *,
        every_s: float,
        lease_s: float = 8.0,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._recoveries = recoveries
        self._every_s = every_s
        self._roll = roll
        self._owed: dict[str, None] = {}
        self._store_away = False
        self._lease_s = lease_s
        # Nobody is held to have been silent before this time, by the monotonic clock.
        self._spared_until = 0.0
        self._looking_again: set[asyncio.Task[None]] = set()

    async def recover_dead(self, incarnation: str) -> None:
        """Hand back the jobs of a process that was seen to end; later, when the store is away now.

        Args:
            incarnation: Its name in Redis.
        """
        self._owed[incarnation] = None
        await self._pay(incarnation)
        # The server may not have read yet that the dead one's connections have ended, and have given an id to a lane
        # that was blocked on its queue: it would wait for the next round.
        again = asyncio.create_task(self._look_again(incarnation))
        self._looking_again.add(again)
        again.add_done_callback(self._looking_again.discard)

    async def close(self) -> None:
        """End what is under way; called when no child is left, before the store goes."""
        for looking in tuple(self._looking_again):
            await end_task(looking)

    async def _look_again(self, incarnation: str) -> None:
        await asyncio.sleep(_AGAIN_S)
        await self._pay(incarnation)

    async def run_once(self) -> None:
        """One round: what is owed, then whoever's lease has ended, on any host.

        Raises:
            StoreError: The store is away, or refuses.
        """
        for incarnation in tuple(self._owed):
            await self._recover(incarnation, proven_dead=True)
            self._owed.pop(incarnation, None)
        for incarnation in await self._store.run(self._recoveries.buried()):
            await self._recover(incarnation, proven_dead=False)
        asked = time.monotonic()
        expired = await self._store.run(self._recoveries.expired())
        now = time.monotonic()
        if self._store_away or now - asked > self._lease_s / 2:
            # Leases end by the clock also while the store is away or frozen, when nobody could renew them: whoever
            # lives gets the time of a lease to say so.
            self._spared_until = now + self._lease_s
        if now < self._spared_until:
            return
        for incarnation in expired:
            await self._recover(incarnation, proven_dead=False)

    async def run(self) -> None:
        """Round after round, until cancelled; the store's being away only delays it."""
        while True:
            try:
                await self.run_once()
            except StoreError as e:
                self._note_away(e)
            else:
                self._note_back()
            await asyncio.sleep(self._every_s * (1 - _SPREAD * self._roll()))

    async def _pay(self, incarnation: str) -> None:
        try:
            await self._recover(incarnation, proven_dead=True)
        except StoreError as e:
            self._note_away(e)
        else:
            self._owed.pop(incarnation, None)

    async def _recover(self, incarnation: str, *, proven_dead: bool) -> None:
        recovery: Recovery = await self._store.run(self._recoveries.recover(incarnation, proven_dead=proven_dead))
        if recovery.handed_back or recovery.lost:
            log.warning(
                "jobs.recovered",
                extra={
                    "incarnation": incarnation,
                    "seen_to_end": proven_dead,
                    "handed_back": len(recovery.handed_back),
                    "lost": len(recovery.lost),
                },
            )
        for job_id in recovery.lost:
            log.error("job.lost", extra={"job": job_id, "incarnation": incarnation})

    def _note_away(self, error: StoreError) -> None:
        if not self._store_away:
            self._store_away = True
            log.error("store.away", extra={"reason": str(error), "next": f"tried again every {self._every_s:g} s"})

    def _note_back(self) -> None:
        if self._store_away:
            self._store_away = False
            log.info("store.back")
