"""Ends the jobs that actors of other programs have ended, so that whatever waits for them goes on.

Such an actor writes to the store without our scripts: no event is sent, no dependent is released, no batch is counted.
The service of every supervisor runs this. It hears of jobs by the stream of events and looks after those that no lane
has claimed. Invariants: each round costs the store a bounded amount of work, no matter how many jobs there are; and
several supervisors that look at the same job end it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice
from typing import Final

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import HeroJobError
from hero_job.operations.events import BEGINNING, Entry, Events
from hero_job.operations.foreign_ends import end_foreign_jobs
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

#: Time between two rounds, in seconds. A job is looked at from the second round on: most were claimed before.
_EVERY_S: Final = 1.0
#: Entries of the event stream in one round. Of what comes faster, only those who wait for a job notice the end.
_ENTRIES: Final = 1000
#: Jobs that are looked at in one round, and jobs that are known at most.
_LOOKS: Final = 100
_MOST: Final = 10_000
_WAITING: Final = frozenset({"created", "dispatched"})


class ForeignEnds:
    """Looks after the jobs of one namespace that no lane has claimed.

    Args:
        store: Where the jobs are.
        operations: Builds the operations.
    """

    def __init__(self, store: AsyncStore, operations: Operations) -> None:
        self._store = store
        self._operations = operations
        self._cursor: str | None = None
        # In the order in which they are looked at next.
        self._unclaimed: dict[str, None] = {}
        self._suspects: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled. What the store refuses is reported by those who need it more often."""
        while True:
            try:
                await self.run_once()
            except HeroJobError as e:
                log.debug("foreign_ends.not_looked", extra={"reason": str(e)})
            await asyncio.sleep(_EVERY_S)

    async def run_once(self) -> None:
        """Do one round.

        Raises:
            HeroJobError: The store is away, or refuses the command.
        """
        looked = list(islice(self._unclaimed, _LOOKS))
        self._hear(await self._new_events())
        # Those that moved meanwhile were claimed by a lane.
        looked = [job_id for job_id in looked if job_id in self._unclaimed]
        if not looked:
            return
        settled = set(await self._store.drive(end_foreign_jobs(self._operations, looked, self._suspects)))
        for job_id in looked:
            self._unclaimed.pop(job_id, None)
            if job_id not in settled:
                self._unclaimed[job_id] = None  # behind the others

    async def _new_events(self) -> list[Entry]:
        stream = self._operations.keys.events
        if self._cursor is None:
            # What happened shortly before this supervisor began.
            entries = await self._store.run(Events.newest(stream, _ENTRIES))
        else:
            entries = await self._store.run(Events.entries(stream, self._cursor, _ENTRIES))
        if len(entries) == _ENTRIES or self._cursor is None:
            self._cursor = (await self._store.run(Events.edges(stream))).newest or BEGINNING
        elif entries:
            self._cursor = entries[-1][0]
        return entries

    def _hear(self, entries: Iterable[Entry]) -> None:
        for _, moved in entries:
            for job_id, status in moved.items():
                if status not in _WAITING:
                    self._unclaimed.pop(job_id, None)
                    self._suspects.discard(job_id)
                elif len(self._unclaimed) < _MOST:
                    self._unclaimed[job_id] = None
