"""A program with a client, which says what happens as lines of JSON, and waits where a test is asked for something."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self


class TalkingProgram:
    """Runs a program.

    Args:
        command: Its command line.
        errors: Gets what it writes to its standard error.
    """

    def __init__(self, command: list[str], errors: Path) -> None:
        self._errors = errors
        self._file = errors.open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._file, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._file.close()

    def said(self) -> Iterator[dict[str, Any]]:
        """Yield what it says, until it has ended well."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield json.loads(line)
        assert self._process.wait() == 0, self._errors.read_text("utf-8")

    def answer(self, line: str = "") -> None:
        """Write a line for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
