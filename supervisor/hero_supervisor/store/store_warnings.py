"""Warns about settings of the store's server that would lose jobs.

The service runs `inspect_store` once in the background; a server that is away is inspected when it is back. `heroctl
doctor` uses `dangers`.
"""

from __future__ import annotations

import asyncio
import logging

from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import StoreError
from hero_job.model.views import ServerFacts
from hero_job.operations.operations import Operations

log = logging.getLogger(__name__)

_AGAIN_S = 1.0


async def inspect_store(store: AsyncStore, operations: Operations) -> None:
    """Log name and version of the server, and a warning for each setting that endangers jobs."""
    while True:
        try:
            facts = await store.run(operations.admin.server())
        except StoreError:
            await asyncio.sleep(_AGAIN_S)
            continue
        break
    log.info("store.server", extra={"server": facts.name, "version": facts.version, "appendonly": facts.appendonly})
    for setting, danger in dangers(facts):
        log.warning("store.dangerous_setting", extra={"setting": setting, "danger": danger})


def dangers(facts: ServerFacts) -> list[tuple[str, str]]:
    """List the settings that endanger jobs, each with its effect. Pure.

    Args:
        facts: What the server reports about itself.
    """
    found = []
    if facts.maxmemory_policy != "noeviction":
        found.append(
            (
                f"maxmemory-policy {facts.maxmemory_policy}",
                "at its memory limit the server silently deletes jobs; set it to noeviction",
            )
        )
    if not facts.appendonly:
        found.append(("appendonly no", "a restart of the server loses the jobs since its last snapshot; set it to yes"))
    if facts.replicas and not facts.guarded:
        found.append(
            (
                "min-replicas-to-write 0",
                "a primary that is cut off goes on acknowledging what a failover throws away; set it to 1, and "
                "min-replicas-max-lag to a few seconds",
            )
        )
    return found
