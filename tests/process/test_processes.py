"""Reading /proc, the mark of an actor, and ending whole trees. With real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hero_process import proc
from hero_process.mark import MARK, kill_marked, mark_of
from hero_process.signals import kill_if, pidfd_of, send_signal
from hero_process.tree import kill_tree
from tests.eventually import eventually

# Adopts its orphans, as the leader of a tree must, and has a grandchild that has moved to a session of its own.
LEADER = """
import subprocess, sys, time
from hero_process.tree import adopt_orphans
adopt_orphans()
source = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
subprocess.run([sys.executable, "-c", source])
print("ready", flush=True)
time.sleep(600)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process with a session of its own; what a test leaves running is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, **environ: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                command, env=os.environ | environ, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def test_children_are_found_also_on_a_kernel_that_does_not_list_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start("sleep", "600")
    listed = proc.children_of(os.getpid())
    monkeypatch.setattr(proc, "_kernel_lists_children", lambda: False)

    assert child.pid in listed
    assert sorted(proc.children_of(os.getpid())) == sorted(listed)


def test_stat_arguments_and_environment_of_a_process_are_read_and_a_missing_process_reads_as_empty(
    start: Start,
) -> None:
    child = start("sleep", "600", OWN="x")
    eventually(lambda: proc.arguments_of(child.pid)[:2] == ["sleep", "600"], what="the program runs")

    stat = proc.stat_of(child.pid)
    assert stat == proc.ProcessStat(name="sleep", zombie=False, parent=os.getpid(), session=child.pid)
    assert b"OWN=x" in proc.environ_of(child.pid)

    child.kill()
    eventually(lambda: (stat := proc.stat_of(child.pid)) is not None and stat.zombie, what="it is a zombie")
    child.wait()
    assert proc.stat_of(child.pid) is None
    assert proc.environ_of(child.pid) == [b""]


def test_process_is_killed_only_if_it_is_still_the_one_that_is_meant(start: Start) -> None:
    child = start("sleep", "600")

    assert not kill_if(child.pid, lambda _: False)
    assert not ended(child)
    assert kill_if(child.pid, lambda pid: pid == child.pid)
    assert child.wait(20) == -signal.SIGKILL
    assert not kill_if(child.pid, lambda _: True)


def test_signal_to_a_process_that_has_ended_does_nothing(start: Start) -> None:
    child = start("sleep", "600")
    with pidfd_of(child.pid) as pidfd:
        child.kill()
        child.wait()
        send_signal(pidfd, signal.SIGTERM)


def test_only_processes_with_the_mark_of_the_incarnation_are_killed(start: Start) -> None:
    ours, other = start("sleep", "600", **{MARK: "a-1.h.0"}), start("sleep", "600", **{MARK: "a-1.h.00"})
    eventually(lambda: (mark_of(ours.pid), mark_of(other.pid)) == ("a-1.h.0", "a-1.h.00"))

    assert kill_marked("a-1.h.0") == 1

    assert ours.wait(20) == -signal.SIGKILL
    assert not ended(other)


def test_mark_that_is_not_unicode_is_read_without_an_error(start: Start) -> None:
    child = start("sleep", "600", **{MARK: os.fsdecode(b"\xff")})
    eventually(lambda: mark_of(child.pid) == "\N{REPLACEMENT CHARACTER}")


def test_whole_tree_is_killed_including_a_process_that_has_moved_to_another_session(start: Start) -> None:
    leader = start(sys.executable, "-c", LEADER)
    assert leader.stdout is not None
    assert leader.stdout.readline() == "ready\n"
    (moved,) = proc.children_of(leader.pid)

    kill_tree(leader.pid)

    assert leader.wait(20) == -signal.SIGKILL
    eventually(lambda: (stat := proc.stat_of(moved)) is None or stat.zombie, what="the process that moved has ended")


def test_marked_process_that_is_executing_another_program_is_killed_too(start: Start, tmp_path: Path) -> None:
    """While it does, the kernel shows no environment."""
    again = tmp_path / "again"
    again.write_text(f"exec /bin/sh {again}")
    for number in range(30):
        child = start("/bin/sh", str(again), **{MARK: f"a-1.h.{number}"})
        assert kill_marked(f"a-1.h.{number}") == 1
        assert child.wait() == -signal.SIGKILL


def test_mark_of_a_process_that_is_exiting_cannot_be_told(start: Start) -> None:
    """While the kernel frees its memory, which takes long for much, it has no environment and is no zombie yet."""
    source = "import os; memory = bytearray(b'x' * (300 << 20)); print('ready', flush=True); os._exit(0)"
    child = start(sys.executable, "-I", "-S", "-c", source, **{MARK: "a-1.h.0"})
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"

    marks: set[str | None] = set()
    while (stat := proc.stat_of(child.pid)) is not None and not stat.zombie:
        mark = mark_of(child.pid)
        if (stat := proc.stat_of(child.pid)) is not None and not stat.zombie:
            marks.add(mark)

    assert marks <= {"a-1.h.0", None}
