"""Hands back the jobs of actors that have died.

The jobs of this supervisor's own children are handed back immediately. Actors of other hosts are found in rounds, by
their expired leases. Owned here: when the store's recovery is called, and which recoveries wait for a store that is
away. `children/slot.py` calls this when a child has ended; the service runs the rounds. Invariant: an incarnation that
was seen to end is recovered as soon as the store can be reached. Nothing about it is kept on disk, since its lease
expires anyway.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.model.errors import StoreError, StoreRefused
from hero_job.operations.actor_operations import Recoveries, Recovery

log = logging.getLogger(__name__)

#: A round comes up to this fraction early, so that many supervisors do not all ask at the same moment.
_SPREAD = 0.2
#: If the store's clock moves so much further than ours between two rounds, in seconds, it was set.
_STEP_S = 0.5
#: In the first round, an expired lease is looked at again after this many seconds, in which a living actor renews it.
_SECOND_LOOK_S = 1.5
#: After this many seconds the claimed lists of a process that was seen to end are checked a second time.
_AGAIN_S = 0.1


class JobRecovery:
    """Recovers the jobs of dead incarnations of one namespace.

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
        # Incarnation -> why its jobs run again, and whether it was stopped.
        self._owed: dict[str, tuple[str, bool]] = {}
        # Why the store refused to recover an incarnation, so that each reason is logged once.
        self._refused: dict[str, str] = {}
        self._store_away = False
        self._lease_s = lease_s
        # Until this monotonic time, expired leases are not acted on.
        self._spared_until_mono = 0.0
        # The store's time in seconds at the last round, and ours.
        self._clocks: tuple[float, float] | None = None
        self._looking_again: set[asyncio.Task[None]] = set()

    async def recover_dead(self, incarnation: str, reason: str = "", *, stopped: bool = False) -> None:
        """Hand back the jobs of a process that was seen to end, or do so later when the store is away.

        Args:
            incarnation: Its name in Redis.
            reason: Why its jobs run again, for their records.
            stopped: It was ended on purpose, so its jobs are no suspects.
        """
        self._owed[incarnation] = (reason, stopped)
        await self._recover_or_owe(incarnation, reason, stopped=stopped)
        # The server may not have noticed yet that the connections of the dead process are closed, and may have given a
        # job to one of its blocked lanes. Without a second look, that job would wait for the next round.
        again = asyncio.create_task(self._look_again(incarnation))
        self._looking_again.add(again)
        again.add_done_callback(self._looking_again.discard)

    async def close(self) -> None:
        """End what is under way. Call it when no child is left, before the store ends."""
        for looking in tuple(self._looking_again):
            await end_task(looking)

    async def _look_again(self, incarnation: str) -> None:
        await asyncio.sleep(_AGAIN_S)
        await self._recover_or_owe(incarnation, "")

    async def run_once(self) -> None:
        """Do one round: the recoveries that were put off, then the actors of any host whose lease has expired.

        Raises:
            StoreError: The store is away, or refuses the command.
        """
        for incarnation, (reason, stopped) in tuple(self._owed.items()):
            await self._recover_contained(incarnation, proven_dead=True, reason=reason, stopped=stopped)
            self._owed.pop(incarnation, None)
        for incarnation in await self._ask_buried():
            await self._recover_contained(incarnation, proven_dead=False)
        first = self._clocks is None
        now_ms, expired = await self._judge()
        if expired and first:
            await asyncio.sleep(_SECOND_LOOK_S)
            now_ms, expired = await self._judge()
        if expired is None:
            return
        judged_mono = time.monotonic()
        for incarnation in expired:
            # The clock may be set between the look and this.
            latest_ms = now_ms + int((time.monotonic() - judged_mono + _STEP_S) * 1000)
            await self._recover_contained(incarnation, proven_dead=False, latest_ms=latest_ms)

    async def _judge(self) -> tuple[int, list[str] | None]:
        """Ask which leases have expired.

        Returns:
            The store's time in ms, and the incarnations; None for these in a round that judges nobody.
        """
        asked_mono = time.monotonic()
        now_ms, expired = await self._store.drive(self._recoveries.expired())
        now_mono = time.monotonic()
        spared = self._store_away or now_mono - asked_mono > self._lease_s / 2
        clocks, self._clocks = self._clocks, (now_ms / 1000, (asked_mono + now_mono) / 2)
        if clocks is not None:
            step_s = (self._clocks[0] - clocks[0]) - (self._clocks[1] - clocks[1])
            if abs(step_s) > _STEP_S + (now_mono - asked_mono):
                spared = True
                log.warning("leases.spared", extra={"clock_step_s": round(step_s, 3), "for_s": self._lease_s})
        if spared:
            # While the store was away or frozen, nobody could renew a lease; and a clock that was set forward ends all
            # of them. Living actors now get the time of one lease to renew theirs.
            self._spared_until_mono = now_mono + self._lease_s
        return now_ms, None if now_mono < self._spared_until_mono else expired

    async def _ask_buried(self) -> list[str]:
        """Ask which incarnations to recover again. If the store was frozen, nobody could renew a lease meanwhile."""
        asked_mono = time.monotonic()
        buried = await self._store.run(self._recoveries.buried())
        now_mono = time.monotonic()
        if now_mono - asked_mono > self._lease_s / 2:
            self._spared_until_mono = now_mono + self._lease_s
        return buried

    async def _recover_contained(
        self,
        incarnation: str,
        *,
        proven_dead: bool,
        reason: str = "",
        stopped: bool = False,
        latest_ms: int | str = "",
    ) -> None:
        """Recover one incarnation. If the store refuses that for what is in its records, the others go on."""
        try:
            await self._recover(
                incarnation, proven_dead=proven_dead, reason=reason, stopped=stopped, latest_ms=latest_ms
            )
        except StoreRefused as e:
            if e.passing:
                raise
            if self._refused.get(incarnation) != e.reason:
                self._refused[incarnation] = e.reason
                log.error("jobs.not_recovered", extra={"incarnation": incarnation, "reason": e.reason})

    async def run(self) -> None:
        """Do rounds until cancelled. An outage of the store only delays them."""
        while True:
            try:
                await self.run_once()
            except StoreError as e:
                self._note_away(e)
            else:
                self._note_back()
            await asyncio.sleep(self._every_s * (1 - _SPREAD * self._roll()))

    async def _recover_or_owe(self, incarnation: str, reason: str, *, stopped: bool = False) -> None:
        try:
            await self._recover(incarnation, proven_dead=True, reason=reason, stopped=stopped)
        except StoreError as e:
            self._note_away(e)
        else:
            self._owed.pop(incarnation, None)

    async def _recover(
        self,
        incarnation: str,
        *,
        proven_dead: bool,
        reason: str = "",
        stopped: bool = False,
        latest_ms: int | str = "",
    ) -> None:
        handed_back, more = 0, True
        while more:
            recovery: Recovery = await self._store.run(
                self._recoveries.recover(
                    incarnation, proven_dead=proven_dead, reason=reason, stopped=stopped, latest_ms=latest_ms
                )
            )
            handed_back, more = handed_back + len(recovery.handed_back), recovery.more
            latest_ms = ""  # it has been judged
        if handed_back:
            log.warning(
                "jobs.recovered",
                extra={
                    "incarnation": incarnation,
                    "seen_to_end": proven_dead,
                    "handed_back": handed_back,
                },
            )

    def _note_away(self, error: StoreError) -> None:
        if not self._store_away:
            self._store_away = True
            event = "store.refused" if isinstance(error, StoreRefused) else "store.away"
            log.error(event, extra={"reason": str(error), "next": f"tried again every {self._every_s:g} s"})

    def _note_back(self) -> None:
        if self._store_away:
            self._store_away = False
            log.info("store.back")
