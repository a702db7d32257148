"""Engines with defects, for actors started with `--engine tests.actor.engines:...`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped

_hoard: list[bytes] = []


class Handle:
    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()


class TestEngine:
    """Its scripts are one word: what it does wrong. Anything else is its own result."""

    __test__ = False
    name = "test"
    version = "1"

    def check(self, script: Script) -> Failed | None:
        return None

    def new_run(self) -> RunHandle:
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
        assert isinstance(run, Handle)
        match script.source.split():
            case ["deaf"]:  # hears neither its deadline nor a cancellation
                time.sleep(3600)
            case ["timeless"]:  # knows no deadline, but can be cancelled
                run.cancelled.wait()
                return Stopped()
            case ["nap", seconds]:
                time.sleep(float(seconds))
            case ["hoard", mib]:  # keeps memory for good
                _hoard.append(b"x" * (int(mib) << 20))
            case ["raise"]:
                raise RuntimeError("engine is broken")
            case ["surrogate"]:
                return Done("\ud800")
            case ["surrogate-error"]:
                return Failed("odd\ud800", "odd\ud800")
        return Done(script.source)


def broken() -> TestEngine:
    """A factory that fails."""
    raise RuntimeError("no such library")


def slow() -> TestEngine:
    """A factory that takes its time: until the file exists that the environment names."""
    gate = os.environ["TEST_ENGINE_GATE"]
    while not Path(gate).exists():
        time.sleep(0.01)
    return TestEngine()


#: Moves away from its parent, as a daemon does, twice over: forks, leads a session, forks again.
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
    """Its script is a path: it starts a daemon, which writes its process id there. With `bare`, without environment."""

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        path, *how = script.source.split()
        env = {} if how == ["bare"] else None
        subprocess.run([sys.executable, "-I", "-S", "-c", DAEMON, path], env=env, check=True)
        return Done(path)
