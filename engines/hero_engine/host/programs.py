"""Runs a program for an action and waits for it: without a shell, bounded in time and in what is kept of its words."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Where programs are looked for: never in the `PATH` that the job's submitter chooses.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
TAIL_CHARS = 2000


class ProgramFailed(Exception):
    """A program did not end as it should."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Exit code; below zero the signal that ended it.
        output: What it wrote to its standard output, 4 MiB at most.
        error: What it wrote to its standard error, if that was kept apart.
    """

    code: int
    output: str
    error: str


def run_program(
    words: Sequence[str], *, folder: Path, env: Mapping[str, str], timeout_s: float, joined: bool = False
) -> Ended:
    """Run a program to its end; at the end of its time it is killed with its process group.

    Args:
        words: Path of the program, and its arguments.
        folder: Where it works.
        env: Its environment, whole.
        timeout_s: Its time, in seconds.
        joined: Its standard error goes where its standard output goes.

    Raises:
        ProgramFailed: Its time was up.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if joined else error,
            # A group of its own, to be killed as one. It stays a descendant of the job's process, which ends with it.
            process_group=0,
        )
        try:
            code = process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired as e:
            raise ProgramFailed(f"{words[0]} did not end within {timeout_s:g} s") from e
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ended(code, _read(output), _read(error))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MAX_OUTPUT_BYTES).decode(errors="replace")
