"""Sweep, clock and scaler share one store: while it is frozen, each call ends within its own limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hero_job import JobLimits, ScriptType
from hero_job.client import async_store
from hero_job.client.async_store import AsyncStore
from hero_job.model.errors import StoreUnavailable
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedules
from hero_supervisor.upkeep.due_jobs import DueJobs
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.valkey_server import ValkeyServer

_LIMIT_S = 2.0


def test_no_user_of_a_frozen_store_waits_for_the_turns_of_others(
    own_valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_store, "ANSWER_TIMEOUT_S", _LIMIT_S)
    operations = Operations(namespace)

    async def test() -> None:
        async with AsyncStore(own_valkey.url, max_connections=2) as store:
            recovery = JobRecovery(store, Recoveries(namespace), every_s=60)
            clock = DueJobs(store, operations, Schedules(namespace), limits=JobLimits())
            queue = operations.admin.queue_head(ScriptType.OSIS)  # what the scaler asks
            users: list[Callable[[], Awaitable[Any]]] = [recovery.run_once, clock.run_once, lambda: store.run(queue)]
            for user in users:
                await user()
            own_valkey.freeze()
            try:
                # The slow user fills all connections many times over, before the others come.
                slow = [asyncio.create_task(store.run(operations.ping())) for _ in range(40)]
                await asyncio.sleep(0)
                others = [asyncio.ensure_future(user()) for user in users]
                # One after the other they would need twenty times the limit. The same clock measures both.
                late = asyncio.create_task(asyncio.sleep(3 * _LIMIT_S))
                await asyncio.wait((late,))
                assert [task for task in (*slow, *others) if not task.done()] == []
                assert all(isinstance(task.exception(), StoreUnavailable) for task in (*slow, *others))
            finally:
                own_valkey.thaw()
            for user in users:
                await user()

    asyncio.run(test())
