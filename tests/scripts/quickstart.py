"""Runs the quick start of `scripts/run` in its own folder, and finds the processes that it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.deployment import alive
from tests.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "scripts" / "quickstart.py"
#: The end of the last line that it prints before it waits.
LAST_ADVICE = ">>> supervisor.run_job_and_await_result(job)\n"
#: Seconds after which a process counts as one that does not end.
LIMIT_S = 300


class QuickStart:
    """One `scripts/run`, without the set-up of the environment.

    Args:
        state_dir: Folder of its store, socket and log.
        arguments: Arguments as for `scripts/run`.
    """

    def __init__(self, state_dir: Path, *arguments: str) -> None:
        self.state_dir = state_dir
        self.shown = state_dir.parent / f"{state_dir.name}.out"
        with self.shown.open("wb") as shown:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, "--state-dir", state_dir, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )

    def text(self) -> str:
        """All that it has printed."""
        return self.shown.read_text()

    def await_up(self) -> None:
        """Wait until it has run its jobs and has printed all its advice."""
        eventually(lambda: self._has_told_all() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()

    def control_c(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LIMIT_S)

    def processes(self) -> list[psutil.Process]:
        """Find all living processes that use its state folder: service, actors, store."""
        return [process for process in psutil.process_iter() if alive(process) and self._owns(process)]

    def end(self) -> None:
        """Kill it, if a test fails before its end."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT_S)

    def _has_told_all(self) -> bool:
        _, stays_up, advice = self.text().partition("The service stays up until Ctrl-C")
        return bool(stays_up) and advice.endswith(LAST_ADVICE)

    def _owns(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid():
                return False
            if process.environ().get("HERO_EMBEDDED__DIR", "").startswith(str(self.state_dir)):
                return True
            return any(str(self.state_dir) in word for word in process.cmdline())
        return False


def environment() -> dict[str, str]:
    """The environment without HERO_ settings of the person who runs the tests, and with misleading ones."""
    chosen = ("HERO_V_COMMAND",)  # set by a test
    kept = {name: value for name, value in os.environ.items() if name in chosen or not name.startswith("HERO_")}
    store = "redis://127.0.0.1:1/"
    return {**kept, "HERO_STORE__REDIS_URL": store, "HERO_REDIS_URL": store, "HERO_NAMESPACE": "other"}
