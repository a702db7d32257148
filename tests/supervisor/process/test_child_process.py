"""One process as the supervisor holds it: what it says in pieces, and how it ends. With small programs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_supervisor.process.child_process import ChildProcess
from hero_supervisor.process.launch import LaunchOptions
from hero_supervisor.process.spec import ActorSpec
from tests.eventually import GENEROUS_S, eventually
from tests.failing_calls import count_descriptors
from tests.supervisor.supervising import SLEEP, gone, program, speaking_program

# Sends a message in two pieces. Between them it waits until it is told to go on.
IN_PIECES = """
import socket, sys
control = socket.socket(fileno=int(sys.argv[sys.argv.index("--control-fd") + 1]))
control.sendall(b'{"event": "be')
assert control.recv(100) == b'{"go":"on"}\\n'
control.sendall(b'at"}\\n{"event": "draining"}\\n')
"""
# Says nothing that can be understood: more than a message may have, without an end, and then a message.
AT_LENGTH = """
import socket, sys
control = socket.socket(fileno=int(sys.argv[sys.argv.index("--control-fd") + 1]))
control.sendall(b"[" * (3 << 20) + b"\\n" + b'{"event": "beat"}\\n')
"""


@contextmanager
def running(spec: ActorSpec) -> Iterator[ChildProcess]:
    (child,) = spec.children()
    process = ChildProcess.spawn(child, "a-1.h.0", os.environ)
    try:
        yield process
    finally:
        process.kill_group()
        ended(process)
        process.finish()
        os.close(process.output_fd)


def ended(process: ChildProcess) -> None:
    assert select.select([process.pidfd], [], [], GENEROUS_S)[0], "it ends"


def wait_for_words(process: ChildProcess) -> None:
    assert process.control is not None
    assert select.select([process.control], [], [], GENEROUS_S)[0], "it says something, or hangs up"


def said(process: ChildProcess) -> list[dict[str, Any]]:
    """Read what the process says until it hangs up."""
    found: list[dict[str, Any]] = []
    while True:
        wait_for_words(process)
        messages = process.receive()
        if messages is None:
            return found
        found += messages


def test_message_that_comes_in_pieces_is_one() -> None:
    with running(speaking_program("a", IN_PIECES)) as process:
        wait_for_words(process)
        assert process.receive() == []
        assert process.send({"go": "on"})
        assert said(process) == [{"event": "beat"}, {"event": "draining"}]


def test_line_that_is_too_long_for_a_message_costs_only_itself() -> None:
    with running(speaking_program("a", AT_LENGTH)) as process:
        assert said(process) == [{"event": "beat"}]
        assert len(process._received) == 0


def test_process_is_told_nothing_after_its_supervisor_has_hung_up() -> None:
    with running(speaking_program("a", "import sys; sys.stdin.read()")) as process:
        process.hang_up()
        assert not process.send({"command": "drain"})
        assert process.receive() is None


def test_program_without_the_protocol_has_no_socket() -> None:
    with running(program("a", SLEEP)) as process:
        assert process.control is None
        assert not process.send({"command": "drain"})
        assert process.receive() is None


def test_end_of_a_process_gives_its_signal_and_leaves_no_descriptor() -> None:
    before = count_descriptors()
    (child,) = speaking_program("a", SLEEP).children()
    process = ChildProcess.spawn(child, "a-1.h.0", os.environ)
    process.signal(signal.SIGTERM)
    ended(process)
    assert process.finish() == -signal.SIGTERM
    assert process.control is None
    os.close(process.output_fd)
    assert count_descriptors() == before
    process.kill_group()  # reaches nobody: its number may be that of another process now


def test_process_whose_end_nobody_could_notice_is_ended_and_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    execute = subprocess.Popen.__init__

    def noted(popen: subprocess.Popen[bytes], *arguments: Any, **options: Any) -> None:
        execute(popen, *arguments, **options)
        started.append(popen)

    def none_left(_pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    monkeypatch.setattr(os, "pidfd_open", none_left)
    (child,) = speaking_program("a", SLEEP).children()
    with pytest.raises(OSError, match="Too many open files"):
        ChildProcess.spawn(child, "a-1.h.0", os.environ)
    (popen,) = started
    assert popen.returncode == -signal.SIGKILL, "its exit code was taken"
    eventually(lambda: gone(popen.pid))


@pytest.mark.parametrize("nice", [0, 1])
def test_program_that_is_not_there_is_named_and_nothing_is_started(tmp_path: Path, nice: int) -> None:
    before = {process.pid for process in psutil.Process().children()}
    options = LaunchOptions(nice=nice, cwd=str(tmp_path))
    for control in (True, False):
        spec = ActorSpec(name="a", script_type="", command=("./absent",), control=control, launch=options)
        (child,) = spec.children()
        with pytest.raises(FileNotFoundError, match="absent"):
            ChildProcess.spawn(child, "a-1.h.0", os.environ)
    assert {process.pid for process in psutil.Process().children()} == before
