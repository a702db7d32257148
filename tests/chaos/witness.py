"""The witness: one append-only file outside Redis, written by the harness and the actors' engine, read by the checker.

Each line is one JSON object: when (the host's clock), what, and facts. Who writes:

- the load: `submitted`, `acknowledged`, `stop_asked`, `answered`; at the end `run.py`, for the ticks of schedules;
- the faults: `fault`, with whom it hit, from when to when;
- the reader of the event stream: `event`, each new status of each job in the order in which the store made them;
- the engine inside the actors (`traced.py`): `began` and `ended`, each run of each script;
- the process of a HeroScript job (`vocabulary.py`): `acting` and `acted`, what the script does to the
  world.

Invariant: a line is one write(2) to a file opened with O_APPEND, so lines of many processes never mix, and what a
killed process had done before its death is there. Source: https://man7.org/linux/man-pages/man2/write.2.html
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

#: Environment variable that names the witness's file.
WITNESS = "CHAOS_WITNESS"


class Witness:
    """Writes notes; safe to share among threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, what: str, **facts: object) -> None:
        """Add one line."""
        line = json.dumps({"at": time.time(), "what": what, **facts}, separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")

    def read(self) -> list[Entry]:
        """Give everything that was noted, in the order of writing."""
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]
