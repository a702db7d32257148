"""Figures of the deployment are read once for all who want them at about the same time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from hero_supervisor.rpc.methods.results import Stats
from hero_supervisor.rpc.subscriptions.metrics_feed import Snapshots


def test_figures_are_read_again_only_when_they_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    async def read() -> Stats:
        reads.append(len(reads))
        await asyncio.sleep(0)
        return cast("Stats", {"read": len(reads)})

    async def main() -> None:
        snapshots = Snapshots(read)
        monkeypatch.setattr(Snapshots, "FRESH_S", 3600.0)
        taken: list[Any] = await asyncio.gather(*(snapshots.take() for _ in range(3)))
        taken.append(await snapshots.take())
        assert taken == [{"read": 1}] * 4

        monkeypatch.setattr(Snapshots, "FRESH_S", -1.0)
        again: Any = await snapshots.take()
        assert again == {"read": 2}

    asyncio.run(main())
