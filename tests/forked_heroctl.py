"""Runs `heroctl` for the tests, forked if that is the same as executed; `forked_programs.py` says how."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.forked_programs import HEROCTL, run_forked

__all__ = ["HEROCTL", "run_heroctl", "run_line"]

#: A command line that says the same with and without a shell.
_WORDS = re.compile(r"heroctl( +([\w./:=,@+-]+|'[^']*'))*")


def run_heroctl(
    command: Sequence[str | Path], *, fresh: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run `heroctl` and wait for it, as `subprocess.run` does.

    Args:
        command: Its words; the first one is `HEROCTL`.
        fresh: Execute it in any case.
        options: See `subprocess.run`.
    """
    return (subprocess.run if fresh else run_forked)(command, **options)


def run_line(line: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command line as somebody types it; a shell runs it if it is more than `heroctl` and its words.

    Args:
        line: What bash accepts.
        options: See `subprocess.run`; without `check`.
    """
    one_line = re.sub(r"('[^']*')|\\\n", lambda part: part[1] or " ", line)
    if _WORDS.fullmatch(one_line):
        return run_heroctl([HEROCTL, *shlex.split(one_line)[1:]], **options)
    return subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=False, **options)
