"""The embedded store is kept running: after its end, after a freeze, and with data that has to be repaired."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import time

import pytest

from hero_supervisor.store.embedded import EmbeddedStore, Readiness
from hero_supervisor.store.watch import FROZEN_S, StoreWatch
from tests.eventually import eventually_async
from tests.supervisor.conftest import MakeStore, command


def run_watched(store: EmbeddedStore, damage: signal.Signals, *, frozen_s: float = FROZEN_S) -> int | None:
    """Damage a running store with a signal, wait for its restart, and give the id of its new process."""

    async def run() -> int | None:
        watch = StoreWatch(store, frozen_s=frozen_s)
        await watch.start()
        try:
            pid = store.pid
            assert pid is not None
            os.kill(pid, damage)
            await eventually_async(lambda: watch.restarts, what="it is restarted")
            assert await asyncio.to_thread(store.probe) is Readiness.READY
            assert store.pid != pid
            return store.pid
        finally:
            await watch.stop()

    return asyncio.run(run())


def test_killed_store_restarts(make_store: MakeStore) -> None:
    assert run_watched(make_store(), signal.SIGKILL)


def test_frozen_store_is_killed_and_restarts(make_store: MakeStore, caplog: pytest.LogCaptureFixture) -> None:
    assert run_watched(make_store(), signal.SIGSTOP, frozen_s=1.0)

    assert "store.frozen" in [record.getMessage() for record in caplog.records]


def test_store_that_is_busy_with_a_script_is_not_killed(make_store: MakeStore) -> None:
    store = make_store()

    async def run() -> None:
        watch = StoreWatch(store, frozen_s=2.5)  # a busy machine may take one of them for an answer
        await watch.start()
        try:
            command(store, "CONFIG", "SET", "busy-reply-threshold", "50")
            busy = "local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 4 do end return 1"
            assert await asyncio.to_thread(command, store, "EVAL", busy, "0") == 1
            assert watch.restarts == 0
        finally:
            await watch.stop()

    asyncio.run(run())


def test_store_with_a_damaged_end_of_its_data_is_repaired_and_starts(make_store: MakeStore) -> None:
    store = make_store()
    store.start()
    command(store, "SET", "a", "1")
    store.stop()
    (aof,) = (store.folder.path / "appendonlydir").glob("*.incr.aof")
    aof.write_bytes(aof.read_bytes() + bytes(512))

    async def run() -> None:
        watch = StoreWatch(store)
        await watch.start()
        try:
            assert await asyncio.to_thread(command, store, "GET", "a") == "1"
        finally:
            await watch.stop()

    asyncio.run(run())
    assert len(list((store.folder.path / "damaged").iterdir())) == 1


def test_store_that_cannot_be_asked_is_kept_and_the_watch_goes_on(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as this process may open no further file, it knows nothing about the store."""
    store = make_store()
    asked: list[float] = []
    caplog.set_level(logging.INFO)

    async def run() -> None:
        watch = StoreWatch(store, frozen_s=0.4)
        watching = await watch.start()
        try:
            real = socket.socket

            def without_descriptors(*arguments: int) -> socket.socket:
                asked.append(time.monotonic())
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

            monkeypatch.setattr("hero_supervisor.store.embedded.socket.socket", without_descriptors)
            await eventually_async(lambda: len(asked) > 5 and asked[-1] - asked[0] > 1, what="it asks in vain")
            monkeypatch.setattr("hero_supervisor.store.embedded.socket.socket", real)
            await eventually_async(lambda: "store.asked_again" in caplog.messages)
            assert (watching.done(), watch.restarts) == (False, 0)
        finally:
            await watch.stop()

    asyncio.run(run())
    assert caplog.messages.count("store.not_asked") == 1
