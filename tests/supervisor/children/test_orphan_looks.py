"""When the supervisor looks at its orphans again: soon after one was ended, and otherwise with the next tick."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil
import pytest

from hero_supervisor.children.orphans import Orphans
from tests.eventually import eventually, eventually_async

SLEEPS = (sys.executable, "-I", "-S", "-c", "print(flush=True); import time; time.sleep(600)")


@contextmanager
def started(*, mark: str = "", own_session: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child of this process, which looks like an adopted orphan if it is in a session of its own."""
    environ = {"HERO_INCARNATION": mark} if mark else {}
    process = subprocess.Popen(SLEEPS, env=environ, stdout=subprocess.PIPE, start_new_session=own_session)
    assert process.stdout is not None
    process.stdout.readline()  # it is executed, so its environment is its own
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Looks(Orphans):
    """Counts its looks. Of the children of this process, it minds only those of the test."""

    def __init__(self, actors: Mapping[int, str]) -> None:
        before = {process.pid for process in psutil.Process().children()}
        self.count = 0
        super().__init__(lambda: actors, lambda: before)

    def _look(self) -> bool:
        self.count += 1
        return super()._look()


def test_daemon_of_a_living_actor_and_a_helper_of_our_own_need_no_further_look() -> None:
    async def test() -> None:
        orphans = Looks({1: "a-1.h.0"})
        with started(mark="a-1.h.0") as daemon, started(own_session=False) as helper:
            orphans.look()
            await asyncio.sleep(0.1)  # longer than until a further look
            assert (orphans.count, orphans.ended, orphans.reaped) == (1, 0, 0)
            assert daemon.poll() is helper.poll() is None

    asyncio.run(test())


def test_daemon_whose_actor_has_ended_is_killed_and_reaped_without_another_tick() -> None:
    async def test() -> None:
        orphans = Looks({1: "a-1.h.0"})
        with started(mark="another.h.0") as daemon:
            orphans.look()
            await eventually_async(lambda: orphans.reaped == 1, what="it is reaped by a look that nobody asked for")
            assert orphans.ended == 1, "it is told once"
            assert not psutil.pid_exists(daemon.pid)
            count = orphans.count
            orphans.look()
            await asyncio.sleep(0.1)
            assert orphans.count - count <= 2, "and then there is nothing more to look at"

    asyncio.run(test())


def test_close_does_not_wait_for_a_helper_of_our_own(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        orphans = Looks({})
        with started(own_session=False) as helper, started(mark="gone.h.0") as daemon:
            await orphans.close()
            assert helper.poll() is None
            eventually(lambda: not psutil.pid_exists(daemon.pid))

    with caplog.at_level(logging.WARNING):
        asyncio.run(test())
    assert "orphans.left" not in [record.message for record in caplog.records]
