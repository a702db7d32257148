"""Starts and ends the processes of a measurement. Each has its own process group and dies with the benchmark."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ProcessFailed(Exception):
    """A program of the measurement ended early or with an error. Carries the end of its output."""

    def __init__(self, command: Sequence[str], code: int | None, tail: str) -> None:
        self.code = code
        program = " ".join(Path(part).name if "/" in part else part for part in command[:4])
        super().__init__(f"{program}: exit code {code}\n{tail}")


def end_like_ctrl_c(again_s: float = 20.0) -> None:
    """Have SIGTERM end the program as Ctrl-C does, so that it ends its processes before.

    Args:
        again_s: Python drops an exception that a signal raises in a destructor. So it is raised again after so many
            seconds, until the program has ended.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, again_s)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, interrupt)


def _die_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def running(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program during a `with` block.

    Args:
        command: The command line.
        log: File for its output.
        env: Variables added to the environment.
        cwd: Its working folder.

    Yields:
        The process. At the end of the block it gets SIGTERM, and its whole group SIGKILL, at most 5 s later.
    """
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # no threads here
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    # Even after a clean end: processes that it left behind must not disturb the next measurement.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def call(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float = 180.0,
) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        ProcessFailed: It ended with an error, or not within `limit_s`.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        text=True,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  # no threads here
    )
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise ProcessFailed(command, None, f"not done after {limit_s:g} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        raise ProcessFailed(command, process.returncode, tail_of(err))
    return out


def tail_of(text: str, lines: int = 8) -> str:
    """Return the last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-lines:])


def until(probe: Callable[[], bool], *, limit_s: float, every_s: float, what: str) -> float:
    """Poll until `probe` is true; return the time of that look, by `time.perf_counter`.

    Raises:
        TimeoutError: Not within `limit_s`.
    """
    deadline = time.perf_counter() + limit_s
    while not probe():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        time.sleep(every_s)
    return time.perf_counter()
