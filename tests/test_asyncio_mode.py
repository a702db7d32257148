"""What a test leaves open fails that test, and no later one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFTEST = """
from tests import asyncio_mode
from tests.asyncio_mode import loops_leave_nothing, no_socket_is_left, pytest_fixture_setup

asyncio_mode.install()
"""
TESTS = """
import socket

import pytest


@pytest.fixture(scope="module")
def shared():
    one, other = socket.socketpair()
    yield one
    one.close()
    other.close()


class Cycle:
    pass


def test_leaks(shared):
    cycle = Cycle()
    cycle.itself, cycle.sockets = cycle, socket.socketpair()


def test_innocent(shared):
    assert shared.fileno() >= 0


def test_fails_and_holds():
    sockets = socket.socketpair()
    assert not sockets


def test_fails_too(shared):
    assert not shared


def test_innocent_too(shared):
    assert shared.fileno() >= 0
"""


def run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a session of their own."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_some.py").write_text(tests)
    command = f"{sys.executable} -m pytest -q -W error -p no:cacheprovider -p no:xdist --rootdir {folder} {folder}"
    return subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=False)


def test_who_thaws_what_the_session_has_frozen_fails_the_session(tmp_path: Path) -> None:
    done = run(tmp_path, "import gc\n\n\ndef test_thaws():\n    gc.unfreeze()\n")

    assert done.returncode == 1
    assert "gc.unfreeze() has" in done.stdout


def test_an_open_socket_fails_the_test_that_has_made_it_and_no_later_one(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)

    outcomes = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("ERROR", "FAILED"))]
    assert sorted((outcome.split()[0], outcome.rpartition("::")[2]) for outcome in outcomes) == [
        ("ERROR", "test_leaks"), ("FAILED", "test_fails_and_holds"), ("FAILED", "test_fails_too"),
    ], done.stdout  # fmt: skip
