"""Owns the `heroctl ui` process of the quick start, which shows the web page over the service's Unix socket.

Invariant: no matter how this program ends, that process ends too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from quickstart_service import end_with_parent


class QuickStartPage:
    """The web page of one quick start.

    Args:
        socket_path: The service's Unix socket.
    """

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Show the page; return its address, or "" if it cannot be shown."""
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("heroctl")), "ui", "--socket", str(self._socket_path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C at the terminal must reach this program only.
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  # this program has one thread
        )
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """Show it no longer."""
        if self._process is None:
            return
        self._process.kill()  # it has nothing to save
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
