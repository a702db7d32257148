"""Engines with defects, for actors started with `--engine tests.actor.engines:...`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped


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
