"""Engines for tests, used by actors that are started with `--engine tests.actor.engines:...`.

`TestEngine` misbehaves in the way that a script names, or runs until the test lets it end.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped

#: Flags of an actor that uses `TestEngine`.
TEST_ENGINE = ("--engine", "tests.actor.engines:TestEngine")

_hoard: list[bytes] = []


def until(path: Path, text: str = "") -> str:
    """Return a script for `TestEngine` that ends once a file exists and contains a text."""
    return f"until {path} {text}".rstrip()


def once(runs: Path, gate: Path) -> str:
    """Return a script for `TestEngine` that adds a line to a file for each run, and ends once another file exists."""
    return f"once {runs} {gate}"


def noted(runs: Path, number: int, nap_s: float = 0.0) -> str:
    """Return a script for `TestEngine` that adds its number to a file, takes a nap if it is to, and ends.

    It takes some microseconds, so that a lane claims many of them in one go.
    """
    return f"noted {runs} {number} {nap_s}"


def announced(begun: Path, script: str) -> str:
    """Return a script that makes a file when it begins, and then does what another script does.

    That a job has the status `started` says only that the store has given it to a lane: the lane may not know it yet.
    """
    return f"announced {begun} {script}"


class Handle:
    """A run that notes its cancellation."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """Cancel the run."""
        self.cancelled.set()


class TestEngine:
    """Its scripts are commands; any other script returns itself."""

    __test__ = False
    name = "test"
    version = "1"

    def check(self, script: Script) -> Failed | None:
        """Find no errors."""
        return None

    def new_run(self) -> RunHandle:
        """Make the handle of one run."""
        return Handle()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Do what the script says."""
        assert isinstance(run, Handle)
        words = script.source.split()
        if words[:1] == ["announced"]:  # see `announced`
            Path(words[1]).touch()
            del words[:2]
        match words:
            case ["deaf"]:  # ignores its deadline and its cancellation
                time.sleep(3600)
            case ["timeless"]:  # ignores its deadline
                run.cancelled.wait()
                return Stopped()
            case ["once", runs, path]:  # see `once`
                with Path(runs).open("a") as file:
                    file.write("run\n")
                while not Path(path).exists():
                    if run.cancelled.wait(0.005):
                        return Stopped()
            case ["noted", runs, number, nap_s]:  # see `noted`
                os.write(_appending(runs), f"{number}\n".encode())
                if float(nap_s):
                    time.sleep(float(nap_s))
            case ["until", path, *text]:  # see `until`
                while not (Path(path).exists() and " ".join(text) in Path(path).read_text()):
                    if run.cancelled.wait(0.005):
                        return Stopped()
            case ["nap", seconds]:
                time.sleep(float(seconds))
            case ["hoard", mib]:  # never frees its memory
                _hoard.append(b"x" * (int(mib) << 20))
            case ["segfault"]:
                ctypes.string_at(0)
            case ["hold"]:  # keeps the interpreter lock, so that no other thread runs
                ctypes.PyDLL(None).sleep(3600)
            case ["raise"]:
                raise RuntimeError("engine is broken")
            case ["surrogate"]:
                return Done("\ud800")
            case ["surrogate-error"]:
                return Failed("odd\ud800", "odd\ud800")
        return Done(script.source)


@functools.cache
def _appending(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def broken() -> TestEngine:
    """Fail; an engine factory with a defect."""
    raise RuntimeError("no such library")


def slow() -> TestEngine:
    """Make an engine as soon as the file exists that TEST_ENGINE_GATE names."""
    gate = os.environ["TEST_ENGINE_GATE"]
    while not Path(gate).exists():
        time.sleep(0.01)
    return TestEngine()


#: Leaves its parent like a daemon: forks, starts a session, forks again. Then it writes its process id to a file.
DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


class LeavingEngine(TestEngine):
    """Starts a daemon that writes its process id to the path in the script; `PATH bare` empties its environment."""

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Start the daemon."""
        path, *how = script.source.split()
        env: dict[str, str] | None = {} if how == ["bare"] else None
        subprocess.run([sys.executable, "-I", "-S", "-c", DAEMON, path], env=env, check=True)
        return Done(path)
