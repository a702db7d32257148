"""System calls that fail, one at a time, in the supervisor: only the order fails that needs the call, and it is tried
again. The supervisor and its other actors go on, and neither a descriptor nor a process is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

import hero_supervisor
from hero_supervisor.children.orphans import Orphans
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.process.launch import LaunchOptions
from hero_supervisor.process.spec import ActorSpec
from tests.eventually import eventually_async
from tests.failing_calls import (
    FORK,
    OPEN,
    PIDFD,
    PIPE,
    SEND,
    SIGNAL,
    SOCKETPAIR,
    WATCH,
    WRITE_CLOSED,
    WRITE_FULL,
    FailingCalls,
    SystemCall,
    count_descriptors,
)
from tests.supervisor.supervising import child, pid_of, speaking_program, supervising

#: All calls with one error each; then those that can fail with another one.
ALL = (FORK, PIDFD, PIPE, SOCKETPAIR, OPEN, WRITE_CLOSED, SEND, WATCH)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> FailingCalls:
    return FailingCalls(monkeypatch, Path(hero_supervisor.__file__).parent)


def is_ready(supervision: Supervision, slot: str) -> bool:
    views = [view for view in supervision.children() if view.slot == slot]
    return bool(views) and views[0].phase is Phase.RUNNING and views[0].pid is not None


async def start_one(supervision: Supervision, steady: ActorSpec, fresh: ActorSpec, calls: FailingCalls) -> None:
    """Have one more process started while another one runs, until both are ready."""
    slot = f"{fresh.name}-1"
    supervision.want((steady, fresh))
    await eventually_async(lambda: is_ready(supervision, slot), what=f"{slot} runs; {calls.made}")


async def end_one(supervision: Supervision, steady: ActorSpec) -> None:
    supervision.want((steady,))
    await eventually_async(lambda: len(supervision.children()) == 1, what="it has ended")


def nothing_left(children: set[int], descriptors: int) -> bool:
    return {process.pid for process in psutil.Process().children()} <= children and count_descriptors() == descriptors


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("watched", "options"),
    [
        pytest.param(ALL, LaunchOptions(), id="plain"),
        pytest.param(ALL, LaunchOptions(nice=1), id="with a launcher"),
        pytest.param((WRITE_FULL,), LaunchOptions(nice=1), id="full disk"),
    ],
)
def test_each_call_that_a_start_makes_may_fail_once(
    calls: FailingCalls, watched: tuple[SystemCall, ...], options: LaunchOptions
) -> None:
    async def test() -> None:
        steady, fresh = speaking_program("steady"), speaking_program("fresh", launch=options)
        async with supervising(steady) as supervision:
            await eventually_async(lambda: is_ready(supervision, "steady-1"))
            pid = pid_of(supervision, "steady-1")
            calls.watch(*watched)
            calls.arm()
            await start_one(supervision, steady, fresh, calls)
            sites = list(calls.disarm())
            await end_one(supervision, steady)
            assert sites
            children = {process.pid for process in psutil.Process().children()}
            descriptors = count_descriptors()

            for number, site in enumerate(sites, 1):
                calls.arm(number)
                await start_one(supervision, steady, fresh, calls)
                assert calls.has_failed
                assert calls.disarm()[number - 1].partition(" ")[0] == site.partition(" ")[0]
                assert child(supervision, "steady-1").restarts == 0
                await end_one(supervision, steady)
                nothing = partial(nothing_left, children, descriptors)
                await eventually_async(nothing, what=f"neither a process nor a descriptor is left by a failed {site}")
            assert pid_of(supervision, "steady-1") == pid

    asyncio.run(test())


@pytest.mark.timeout(900)
def test_each_call_that_an_end_makes_may_fail_once(calls: FailingCalls) -> None:
    """The process is told to drain, does not listen, and is signalled. If that fails, it is killed in the end."""

    async def test() -> None:
        steady, fresh = speaking_program("steady"), speaking_program("fresh")
        async with supervising(steady) as supervision:
            await eventually_async(lambda: is_ready(supervision, "steady-1"))
            calls.watch(SEND, SIGNAL)
            await start_one(supervision, steady, fresh, calls)
            calls.arm()
            await end_one(supervision, steady)
            sites = list(calls.disarm())
            assert sites
            descriptors = count_descriptors()

            for number in range(1, len(sites) + 1):
                await start_one(supervision, steady, fresh, calls)
                calls.arm(number)
                await end_one(supervision, steady)
                assert calls.has_failed
                calls.disarm()
                assert child(supervision, "steady-1").restarts == 0
                await eventually_async(lambda: count_descriptors() == descriptors, what="no descriptor is left")

    asyncio.run(test())


def test_without_descriptors_no_orphan_is_judged_and_each_is_looked_at_again(
    calls: FailingCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor its mark cannot be read, which must not look as if it had none."""

    async def test() -> None:
        environ = os.environ | {"HERO_INCARNATION": "a-1.h.0"}
        daemon = await asyncio.create_subprocess_exec("sleep", "600", env=environ, start_new_session=True)
        before = {process.pid for process in psutil.Process().children()} - {daemon.pid}
        actors = {1: "a-1.h.0"}
        orphans = Orphans(lambda: actors, lambda: before)
        with monkeypatch.context() as patch:
            patch.setattr("builtins.open", _none_left)
            orphans.look()
        assert orphans.ended == 0
        orphans.look()
        assert orphans.ended == 0
        assert psutil.pid_exists(daemon.pid)

        actors.clear()
        calls.watch(PIDFD)
        calls.arm(1)
        orphans._look()
        assert calls.disarm()
        assert daemon.returncode is None
        daemon.send_signal(signal.SIGKILL)
        await daemon.wait()
        if orphans._again is not None:
            orphans._again.cancel()

    def _none_left(*_args: object, **_options: object) -> None:
        raise OSError(24, "Too many open files")

    asyncio.run(test())
