"""Runs `hero-supervisor` until it ends, for tests of its flags and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forked_programs import run_forked


def run_program(folder: Path, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, without an RPC socket, and give its output and exit code."""
    return run_forked(
        [sys.executable, "-m", "hero_supervisor.cli", *flags],
        cwd=folder,
        env=os.environ | {"HERO_RPC__UNIX_SOCKET": ""} | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
