"""Environments of their own for foreign programs that tests use: made and filled with as little work as possible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def make_environment(folder: Path) -> None:
    """Make a virtual environment without a pip of its own, which would take longer than everything else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)


def pip_install(folder: Path, *arguments: str) -> list[str]:
    """Return the command that installs packages into an environment, with the pip of the test run.

    Most modules of a package are never imported by a test, so none is compiled beforehand.
    """
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    return [*pip, "--quiet", "--disable-pip-version-check", "--no-compile", *arguments]
