"""Names the damaged records of the store in the log, each once. The service of every supervisor runs this.

What reads many records leaves the damaged ones out, so without this nobody would hear of them. Damaged jobs end with an
error of their own. Invariant: a record is logged again only if it is damaged in another way, or was whole in between.
"""

from __future__ import annotations

import asyncio
import logging

from hero_job.client.async_store import AsyncStore
from hero_job.model.damaged import DamagedRecord
from hero_job.model.errors import HeroJobError
from hero_job.operations.damaged_records import damaged_records
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

_EVERY_S = 30.0


class DamageWatch:
    """Looks for damaged records of one namespace.

    Args:
        store: Where the records are.
        operations: Builds the operations.
    """

    def __init__(self, store: AsyncStore, operations: Operations) -> None:
        self._store = store
        self._operations = operations
        self._known: set[DamagedRecord] = set()

    async def run(self) -> None:
        """Look until cancelled. What the store refuses is reported by those who need it more often."""
        while True:
            try:
                await self.run_once()
            except HeroJobError as e:
                log.debug("damage.not_looked", extra={"reason": str(e)})
            await asyncio.sleep(_EVERY_S)

    async def run_once(self) -> None:
        """Look once, and log what is new.

        Raises:
            StoreError: The store is away.
        """
        found = set(await self._store.drive(damaged_records(self._operations, walk=False)))
        for record in sorted(found - self._known, key=str):
            log.warning(
                "record.damaged",
                extra={
                    "kind": record.kind.value,
                    "record": record.name,
                    "reason": record.reason,
                    "cure": "upgrade this host if a newer version wrote it; otherwise heroctl doctor --delete-damaged",
                },
            )
        self._known = found
