"""A store whose clock a test can set, by libfaketime."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def library() -> Path:
    """Find libfaketime, or skip the test."""
    for folder in Path("/usr/lib").glob("*/faketime"):
        for path in folder.glob("libfaketimeMT.so*"):
            return path
    pytest.skip("libfaketime is not installed")


class FakeTimeServer(ValkeyServer):
    """A server that reads its time from a file. Its monotonic clock is real.

    Args:
        folder: Its working folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._offset = folder / "offset"
        self.set_clock(0)

    def environment(self) -> dict[str, str]:
        """Return an environment in which the server's clock follows the file."""
        return os.environ | {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, ahead_s: int) -> None:
        """Set its clock so many seconds ahead of the real time, and wait until it shows that.

        Each of its threads reads the file and sets an offset that all of them use, so one that read the file before
        this may set the old offset once more.
        """
        new = self._offset.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}\n")
        new.replace(self._offset)
        if self._process is not None:
            eventually(lambda: abs(self._ahead_s() - ahead_s) < 3, what="the server shows the new time")

    def _ahead_s(self) -> float:
        before_s = time.time()
        answer = self.command("TIME")
        assert isinstance(answer, list)
        return int(answer[0]) - before_s
