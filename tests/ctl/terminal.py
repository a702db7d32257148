"""A terminal for tests: a program on a pseudo terminal of its own, with a size, keys, and what it has written."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.eventually import GENEROUS_S

_CONTROL = re.compile(r"\x1b\[[;?0-9]*[A-Za-z]")


class Terminal:
    """A program that has this terminal as its controlling one, so Ctrl-C reaches it as a signal.

    Args:
        command: The program.
        env: Its environment.
        folder: Its folder.
        columns: Width of the terminal.
        piped: Where its standard output goes instead, if not to the terminal.

    Attributes:
        shown: What it has written so far.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: dict[str, str],
        folder: Path,
        columns: int,
        piped: int | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        kept = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command, cwd=folder, env=kept | {"TERM": "xterm"}, stdin=theirs, stderr=theirs,
            stdout=theirs if piped is None else piped, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # nothing else makes it controlling
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def write(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def read_until(self, words: str, times: int = 1) -> None:
        """Wait until the program has written these words so often."""
        deadline_mono = time.monotonic() + GENEROUS_S
        while self.shown.count(words) < times:
            assert self._read(deadline_mono), f"no {words!r} in {self.shown!r}"

    def wait(self) -> int:
        """Read until the program ends, and return its exit code."""
        deadline_mono = time.monotonic() + GENEROUS_S
        while self._read(deadline_mono):
            pass
        return self.process.wait(GENEROUS_S)

    @property
    def lines(self) -> list[str]:
        """What it has written, by lines and without colours."""
        return _CONTROL.sub("", self.shown).replace("\r", "").splitlines()

    def _read(self, deadline_mono: float) -> bool:
        """Read what is there, and return whether there is more to come."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline_mono - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # how Linux says that nobody has the other end open any more
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
