"""How a process is told to drain and to end: the message, and which signals come with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_supervisor.policy.child_state import RestartLimits
from tests.eventually import eventually_async
from tests.supervisor.supervising import program, run, speaking_program, supervising
from tests.valkey_server import ValkeyServer

#: Notes the signals that it gets, and ends after it was asked to drain.
NOTES = """
import argparse, json, pathlib, signal, socket, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("lanes")
for flag in ("--name", "--incarnation", "--control-fd"):
    parser.add_argument(flag)
options = parser.parse_args()
seen = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: seen.append(signal.Signals(number).name))
control = socket.socket(fileno=int(options.control_fd))
def say(**message):
    control.sendall(json.dumps(message).encode() + b"\\n")
if READY:
    say(event="ready", incarnation=options.incarnation)
say(event="beat", lanes=[], store_up=True)
pathlib.Path(FILE + ".begun").touch()
while b"drain" not in control.recv(100):
    pass
seen.append("asked")
while READY and "SIGINT" not in seen:
    time.sleep(0.01)
if ENDS:
    time.sleep(0.3)  # more signals would have come by now
    pathlib.Path(FILE).write_text(" ".join(sorted(seen)))
    sys.exit(0)
while seen.count("SIGINT") < 2:
    time.sleep(0.01)
pathlib.Path(FILE).write_text(" ".join(sorted(seen)))
"""


def notes(file: Path, *, ready: bool, ends: bool) -> str:
    return f"FILE, READY, ENDS = {str(file)!r}, {ready}, {ends}\n" + NOTES


@pytest.mark.parametrize(("ready", "seen"), [(True, "SIGINT asked"), (False, "asked")])
def test_only_a_process_that_is_ready_gets_a_signal_with_the_message_to_drain(
    valkey: ValkeyServer, tmp_path: Path, ready: bool, seen: str
) -> None:
    file = tmp_path / "seen"

    async def test() -> None:
        limits = RestartLimits(boot_s=600, beat_s=600, shutdown_s=600)
        one = speaking_program("a", notes(file, ready=ready, ends=True), limits=limits)
        async with supervising(one, url=valkey.url) as supervision:
            if ready:
                await supervision.settled()
            await eventually_async((tmp_path / "seen.begun").exists)
            supervision.want([])
            await eventually_async(lambda: supervision.children() == ())

    run(test)
    assert file.read_text() == seen


def test_a_process_that_does_not_drain_in_its_time_gets_the_signal_a_second_time(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    file = tmp_path / "seen"

    async def test() -> None:
        limits = RestartLimits(beat_s=600, shutdown_s=0.5, term_s=600)
        one = speaking_program("a", notes(file, ready=True, ends=False), limits=limits)
        async with supervising(one, url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([])
            await eventually_async(lambda: supervision.children() == ())

    run(test)
    assert file.read_text() == "SIGINT SIGINT asked"


def test_a_program_without_the_control_protocol_is_asked_to_end_by_sigterm(tmp_path: Path) -> None:
    file = tmp_path / "seen"
    code = f"""
import pathlib, signal, sys, time
def note(number, frame):
    pathlib.Path({str(file)!r}).write_text(signal.Signals(number).name)
    sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, note)
pathlib.Path({str(file) + ".begun"!r}).touch()
time.sleep(600)
"""

    async def test() -> None:
        async with supervising(program("a", code, limits=RestartLimits(shutdown_s=600))) as supervision:
            await eventually_async((tmp_path / "seen.begun").exists)
            supervision.want([])
            await eventually_async(lambda: supervision.children() == ())

    run(test)
    assert file.read_text() == "SIGTERM"
