"""Whether the store answers, told soon: what is frozen or cut off does not refuse, it only says nothing.

`health`, `/healthz` and `/metrics` ask before they read anything else, because their readers wait for less time than an
operation may take.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hero_job.model.errors import StoreUnavailable

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: A store that has not answered within this time, in seconds, does not answer. Prometheus waits for 10 s by default.
ANSWERS_WITHIN_S: Final = 3.0


async def check_store(supervisor: AsyncSupervisor) -> None:
    """Ask the store for a sign of life.

    Args:
        supervisor: Whose store.

    Raises:
        HeroJobError: It cannot be reached, refuses, or has not answered within `ANSWERS_WITHIN_S`.
    """
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await supervisor.ping()
    except TimeoutError as e:
        raise StoreUnavailable(supervisor.store.url.shown, f"no answer within {ANSWERS_WITHIN_S:g} s") from e
