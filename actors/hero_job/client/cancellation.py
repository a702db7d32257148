"""Cancelling and waiting on asyncio without losing a cancellation.

`asyncio.wait_for` loses a cancellation that arrives together with its result, before Python 3.12. redis-py sends its
commands through `wait_for`: end a coroutine that talks to a store with `end_task`, and wait for an event with
`set_within`. Source: https://github.com/python/cpython/issues/86296
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any


async def end_task(task: asyncio.Future[Any]) -> None:
    """Cancel an asyncio task that talks to a store, and wait until it has ended.

    Args:
        task: Cancelled every 100 ms until it ends, because one cancellation may be lost.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.1)


async def set_within(event: asyncio.Event, wait_s: float) -> None:
    """Wait until an event is set or the time is up.

    Args:
        event: The event.
        wait_s: Longest wait, in seconds.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()
