"""Runs `heroctl` for the tests, forked if that is the same as executed; `forked_programs.py` says how."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.forked_programs import HEROCTL, run_forked

__all__ = ["HEROCTL", "run_heroctl"]


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
