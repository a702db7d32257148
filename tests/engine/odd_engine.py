"""An engine whose scripts are single words that do to their process what no script should."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping

from hero_engine.engine import Asker, Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, StoreAccess
from hero_engine.errors import AccessRefused
from hero_engine.process_run import ProcessRun

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class OddEngine:
    name = "odd"
    version = "1"

    def __init__(self) -> None:
        self._access: StoreAccess | None = None
        self._words: dict[str, Callable[[], object]] = {
            "pid": os.getpid,
            "segfault": _segfault,
            "abort": os.abort,
            "die": lambda: os._exit(3),
            "spin": _spin,
            "eat": lambda: len(bytearray(8 << 30)),
            "open": lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(10_000)],
            "wait": _wait,
            "hold": _hold,
            "thread": lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start(),
            "process": lambda: subprocess.Popen(["sleep", "60"]),
            "flood": lambda: "x" * 30_000_000,
            "inherited": _inherited,
            "environment": lambda: os.environ.get("HERO_REDIS_URL", ""),
            "linker": lambda: os.environ.get("LD_BIND_NOW", ""),
            "handlers": lambda: [signal.getsignal(number) for number in _HANDLED] == [signal.SIG_DFL] * len(_HANDLED),
            "collects": gc.isenabled,
            # What survives a collection of young objects is in the next generation.
            "collected": lambda: len(gc.get_objects(generation=1)),
        }

    def give_access(self, access: StoreAccess) -> None:
        self._access = access

    def check(self, script: Script) -> Failed | None:
        return None

    def new_run(self) -> RunHandle:
        return ProcessRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        word, _, method = script.source.partition(" ")
        if word == "fail":
            return Failed("no_luck", "no luck")
        if word == "ask":
            return Done(self._ask(method))
        return Done(str(self._words[word]()))

    def _ask(self, method: str) -> str:
        assert self._access is not None
        # The actor must not believe this.
        liar = Asker(job_id="other", caller_id="mallory", context_id="m", deadline_mono=0.0)
        try:
            return str(self._access.call(liar, method, {"name": "n"}))
        except AccessRefused as e:
            return f"refused: {e.reason}"


def _inherited() -> str:
    # Not by `subprocess`, which closes what it was not told to keep.
    os.system("ls -l /proc/self/fd | grep -cE 'socket|memfd'")
    return "listed"


def _spin() -> None:
    # The limit is of processor time, which other load on the machine does not use up.
    while True:
        resource.getrlimit(resource.RLIMIT_CPU)


def _segfault() -> None:
    # Not loaded before, so that what the template loads by itself is seen; see the word `collected`.
    import ctypes

    ctypes.string_at(0)


def _wait() -> str:
    time.sleep(0.2)
    return "waited"


def _hold() -> None:
    """Keep the interpreter lock for good."""
    sys.setswitchinterval(1e6)
    import ctypes

    ctypes.PyDLL(None).sleep(60)


def create() -> OddEngine:
    return OddEngine()


def create_with_handlers() -> OddEngine:
    """Make an engine that, while it loads, installs signal handlers, as a careless library does."""
    for number in _HANDLED:
        signal.signal(number, lambda _number, _frame: None)
    return OddEngine()
