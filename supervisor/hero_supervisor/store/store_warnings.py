"""Looks at the store's server once, and warns of what would lose jobs.

Run by `service.py` beside everything else: a server that is away is looked at when it is there.
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
    """Log what the server is, with a warning for each setting that endangers jobs."""
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
    """Give the settings that endanger jobs, each with what it does. Pure.

    Args:
        facts: What the server says of itself.
    """
    found = []
    if facts.maxmemory_policy != "noeviction":
        found.append(
            (
                f"maxmemory-policy {facts.maxmemory_policy}",
                "at its memory limit the server throws jobs away without a word; set it to noeviction",
            )
        )
    if not facts.appendonly:
        found.append(("appendonly no", "a restart of the server loses the jobs since its last snapshot; set it to yes"))
    return found
