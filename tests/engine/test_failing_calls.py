"""System calls that fail, one at a time, in the processes behind an engine: only one order for a child may fail."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import hero_engine
from hero_engine.engine import Done, Failed, Limits, Outcome, Script
from hero_engine.isolated import IsolatedEngine, IsolationSettings
from hero_process.proc import children_of
from tests.eventually import eventually
from tests.failing_calls import OPEN, PIDFD, PIPE, SOCKETPAIR, FailingCalls, count_descriptors

#: Loaded by every interpreter of the engine: `os.fork` fails as often as the file named by FAILING_FORKS has lines.
_SITE = """
import errno, os
_fork = os.fork
def fork():
    try:
        with open(os.environ["FAILING_FORKS"], "r+") as file:
            left = file.readlines()
            file.seek(0)
            file.truncate()
            file.writelines(left[1:])
    except FileNotFoundError:
        left = []
    if left:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return _fork()
os.fork = fork
"""


@pytest.fixture
def failing_forks(tmp_path: Path) -> Path:
    """Return the file whose lines are the forks that fail next."""
    return tmp_path / "failing"


@pytest.fixture
def engine(tmp_path: Path, failing_forks: Path) -> Iterator[IsolatedEngine]:
    (tmp_path / "sitecustomize.py").write_text(_SITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        patch.setenv("FAILING_FORKS", str(failing_forks))
        engine = IsolatedEngine("rhai", IsolationSettings(jobs_per_child=1))
    yield engine
    engine.close()


def run(engine: IsolatedEngine, source: str) -> Outcome:
    return engine.run(
        Script(source=source, name="j"),
        constants={"JOB_ID": "j", "CALLER_ID": "alice", "CONTEXT_ID": "c"},
        limits=Limits(timeout_s=120),
        run=engine.new_run(),
    )


def template(engine: IsolatedEngine) -> int:
    process = engine._pool._process
    assert process is not None
    return process.pid


def test_failed_fork_fails_one_order_that_is_tried_again(engine: IsolatedEngine, failing_forks: Path) -> None:
    before = template(engine)
    with ThreadPoolExecutor(3) as lanes:
        long = [lanes.submit(run, engine, "sleep(1); 1") for _ in range(2)]
        eventually(lambda: engine._pool._taken == 2)
        while engine._pool._ready:  # so that the next job needs a new child, whose fork fails
            engine._pool._ready.popleft().close()
        failing_forks.write_text("once\n")
        short = [run(engine, "40 + 2") for _ in range(4)]

        assert failing_forks.read_text() == ""
        assert [outcome for outcome in short if not isinstance(outcome, Done)] == []
        assert all(isinstance(one.result(), Done) for one in long)
    assert template(engine) == before


def test_forks_that_go_on_failing_are_an_error_of_the_job_that_names_the_reason(
    engine: IsolatedEngine, failing_forks: Path
) -> None:
    before = template(engine)
    failing_forks.write_text("again\n" * 40)

    outcomes = [run(engine, "1") for _ in range(4)]

    # The first jobs have the children that were ready.
    assert isinstance(outcomes[-1], Failed)
    assert outcomes[-1].kind == "engine_failed"
    assert os.strerror(errno.EAGAIN) in outcomes[-1].message
    failing_forks.unlink()
    assert isinstance(run(engine, "1"), Done)
    assert template(engine) == before


def test_each_call_that_an_order_for_a_child_makes_may_fail_once(
    engine: IsolatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = template(engine)
    calls = FailingCalls(monkeypatch, Path(hero_engine.__file__).parent)
    calls.watch(SOCKETPAIR, PIPE, PIDFD, OPEN)
    use_up_ready_children(engine, before)
    calls.arm()
    assert isinstance(run(engine, "1"), Done)
    made = list(calls.disarm())
    assert {call.partition(" ")[0] for call in made} >= {"socketpair", "pipe"}
    failed = 0

    for number in range(1, len(made) + 1):
        use_up_ready_children(engine, before)
        open_before = count_descriptors()
        calls.arm(number)
        outcome = run(engine, "1")
        assert calls.has_failed
        calls.disarm()

        if isinstance(outcome, Failed):
            failed += 1
            assert outcome.kind == "engine_failed"
            assert os.strerror(errno.EMFILE) in outcome.message
        else:  # the call was for the child of a later script
            assert isinstance(outcome, Done)
        use_up_ready_children(engine, before)
        assert count_descriptors() == open_before
        assert isinstance(run(engine, "1"), Done)
        assert template(engine) == before
    assert failed >= 3


def use_up_ready_children(engine: IsolatedEngine, template: int) -> None:
    """Have the next script need a new child."""
    while engine._pool._ready:
        engine._pool._ready.popleft().close()
    eventually(lambda: children_of(template) == [])


def test_script_whose_template_is_killed_runs_again(engine: IsolatedEngine) -> None:
    before = template(engine)
    with ThreadPoolExecutor(1) as lane:
        long = lane.submit(run, engine, "sleep(2); 7")
        eventually(lambda: engine._pool._taken == 1)
        os.kill(before, signal.SIGKILL)

        outcome = long.result()

    assert isinstance(outcome, Done)
    assert outcome.output == "7"
    assert template(engine) != before


def test_no_order_goes_to_a_template_that_is_about_to_end(engine: IsolatedEngine) -> None:
    pool = engine._pool
    before = template(engine)
    dead, still_open = socket.socketpair()
    with ThreadPoolExecutor(1) as lane, still_open:
        long = lane.submit(run, engine, 'print("on"); sleep(1); 7')
        eventually(lambda: pool._taken == 1)
        # As if the killed process had closed the sockets of its children, and not yet the one that brings its orders.
        # The right one stays open until it is dead: a template that reads the end of its orders exits by itself.
        with pool._lock:
            assert pool._control is not None
            orders, pool._control = pool._control, dead
        os.kill(before, signal.SIGKILL)

        outcome = long.result()
        orders.close()

    assert isinstance(outcome, Done)
    assert outcome.output == "7"
    assert template(engine) != before
