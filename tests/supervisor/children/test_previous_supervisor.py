"""Actors of a supervisor that has ended: which processes count as such, and what becomes of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from hero_supervisor.children import previous_supervisor, supervise
from hero_supervisor.children.previous_supervisor import PreviousProcesses
from hero_supervisor.process.spec import ActorSpec
from tests.eventually import eventually_async
from tests.supervisor.supervising import SLEEP, child, program, run, supervising

URL = "unix:///store-of-this-test"
#: No process has this id: it is above what the kernel gives.
NOBODY = 2**22 + 1
SPEC = ActorSpec(name="a", script_type="", command=("actor", "--namespace", "ns"), env={"HERO_REDIS_URL": URL})

StartActor = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start_actor() -> Iterator[StartActor]:
    """Return a function that starts a process that looks like an actor."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *, supervisor: int = NOBODY, slot: str = "a-1", host: str = "here", namespace: str = "ns", url: str = URL
    ) -> subprocess.Popen[bytes]:
        code = "print(flush=True); import time; time.sleep(600)"
        flags = ["--name", slot, "--incarnation", f"{slot}.{host}.{supervisor}-1.ab", "--namespace", namespace]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code, *flags], env={"HERO_REDIS_URL": url}, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # from now on its arguments and environment are its own
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def look(on_end: Callable[[], None] = lambda: None) -> PreviousProcesses:
    previous = PreviousProcesses("here", on_end)
    previous.look(SPEC.children())
    return previous


def test_slot_is_held_until_its_old_process_has_ended(start_actor: StartActor) -> None:
    async def test() -> None:
        actor = start_actor()
        ended: list[bool] = []
        previous = look(lambda: ended.append(True))
        assert previous.holds("a-1")
        assert not previous.holds("a-2")
        actor.send_signal(signal.SIGTERM)
        await eventually_async(lambda: bool(ended))
        assert not previous.holds("a-1")
        previous.close()

    run(test)


@pytest.mark.parametrize(
    "other",
    [
        {"supervisor": os.getpid()},
        {"slot": "b-1"},
        {"host": "elsewhere"},
        {"namespace": "other"},
        {"url": "unix:///another-store"},
    ],
)
def test_process_of_another_supervisor_slot_host_or_store_is_left_alone(
    start_actor: StartActor, other: dict[str, str | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previous_supervisor, "_PATIENCE_S", 0.0)

    async def test() -> None:
        actor, own = start_actor(**other), start_actor()
        previous = look()
        assert previous.holds("a-1")
        await eventually_async(lambda: not previous.holds("a-1"), what="its own is killed")
        assert own.wait() == -signal.SIGKILL
        assert actor.poll() is None
        previous.close()

    run(test)


def test_old_process_that_hangs_is_killed_when_patience_ends_and_not_before(
    start_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr(previous_supervisor, "_PATIENCE_S", 3600.0)
        actor = start_actor()
        previous = look()
        await asyncio.sleep(0)
        previous.close()
        assert not previous.holds("a-1")
        assert actor.poll() is None

        monkeypatch.setattr(previous_supervisor, "_PATIENCE_S", 0.0)
        previous = look()
        await eventually_async(lambda: not previous.holds("a-1"))
        assert actor.wait() == -signal.SIGKILL
        previous.close()

    run(test)


def test_slot_starts_when_its_old_process_ends_and_not_with_the_next_tick(
    start_actor: StartActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "TICK_S", 3600.0)
    spec = program("a", SLEEP, "--namespace", "ns", control=True, env={"HERO_REDIS_URL": URL})

    async def test() -> None:
        old = start_actor(host=supervise.host_name())
        async with supervising(spec) as supervision:
            await asyncio.sleep(0)
            assert child(supervision, "a-1").pid is None
            old.terminate()
            await eventually_async(lambda: child(supervision, "a-1").pid is not None, what="the slot has a process")

    run(test)
