"""The supervisor warns about dangerous settings of its store."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.operations.operations import Operations
from hero_supervisor.store.store_warnings import inspect_store
from tests.valkey_server import ValkeyServer


def warnings_for(server: ValkeyServer, caplog: pytest.LogCaptureFixture) -> list[str]:
    async def main() -> None:
        async with AsyncStore(server.url) as store:
            await inspect_store(store, Operations("x"))

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    return [str(vars(r)["setting"]) for r in caplog.records if r.message == "store.dangerous_setting"]


def test_server_that_keeps_jobs_gets_no_warning(own_valkey: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_for(own_valkey, caplog) == []


def test_each_dangerous_setting_of_a_server_gets_a_warning(
    own_valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    own_valkey.command("CONFIG", "SET", "appendonly", "no")

    assert warnings_for(own_valkey, caplog) == ["maxmemory-policy allkeys-lru", "appendonly no"]
