"""Runs a program for a script's action and waits for it, without a shell and with bounds on time and output."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Where programs are looked up. Never the `PATH` of the job, which its submitter chooses.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_TAIL_CHARS = 2000


@functools.cache
def program_path(name: str) -> str:
    """Find a program once and for all, so that a later change of a folder does not change what a name means.

    Args:
        name: A name, which is looked up in `PATH`, or an absolute path.

    Returns:
        Its absolute path; "" if there is none.
    """
    paths = [name] if name.startswith("/") else [f"{folder}/{name}" for folder in PATH.split(":")]
    return next((path for path in paths if Path(path).is_file() and os.access(path, os.X_OK)), "")


class ProgramFailed(Exception):
    """A program reported an error, or did not end in time."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended.

    Attributes:
        code: Exit code; if negative, the number of the signal that ended it.
        output: What it wrote to standard output, up to 4 MiB.
        error: What it wrote to standard error, unless that was joined to its standard output.
    """

    code: int
    output: str
    error: str

    def check(self, title: str) -> None:
        """Demand exit code 0.

        Args:
            title: The program, for the message.

        Raises:
            ProgramFailed: It ended with another code; the message has the end of its output.
        """
        if self.code != 0:
            said = (self.error or self.output)[-_TAIL_CHARS:].strip()
            raise ProgramFailed(f"{title} ended with exit code {self.code}: {said}")


def run_program(
    words: Sequence[str], *, folder: Path, env: Mapping[str, str], timeout_s: float, joined: bool = False
) -> ProgramResult:
    """Run a program to its end. When its time is up, it is killed together with its process group.

    Args:
        words: Path of the program, and its arguments.
        folder: Its working folder.
        env: Its whole environment.
        timeout_s: Longest run time, in seconds.
        joined: Send its standard error to its standard output.

    Returns:
        How it ended, whatever its exit code.

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
            # A group of its own, so that all of it can be killed. It remains a descendant of the job's process, and
            # dies with that.
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
        return ProgramResult(code, _read(output), _read(error))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MAX_OUTPUT_BYTES).decode(errors="replace")
