"""The witness: one append-only file outside Redis, with everything that the checker must know.

Each line is one JSON object with the time (of the host's clock), the kind of the entry, and facts. These write to it:

- the load (`load.py`): `submitted`, `acknowledged`, `stop_asked`, `answered`;
- the schedules (`schedules.py`): `submitted` and `acknowledged`, for their ticks;
- the faults (`faults.py`): `fault`, with the actors that it hit, its start and its end;
- the reader of the event stream (`run.py`): `event`, each new status of each job, in the order of the store;
- the engine inside the actors (`traced.py`): `began` and `ended`, for each run of each script;
- the process of a HeroScript job (`actions.py`): `acting` and `acted`, for what the script does to the world.

An actor is named by its incarnation, not by its process id: what runs scripts for it may be one of its children, and
all of them inherit the incarnation (`hero_process/mark.py`).

Invariant: a line is one write(2) to a file opened with O_APPEND. So the lines of several processes never mix, and
everything that a killed process had written is there.
Source: https://man7.org/linux/man-pages/man2/write.2.html
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Final

from hero_process.mark import MARK

Entry = dict[str, Any]

#: Environment variable with the path of the witness's file.
WITNESS = "CHAOS_WITNESS"
#: Answer to somebody who has waited as long as they wanted: the job has not ended.
IN_TIME: Final = "not in time"
#: Environment variable with the incarnation of the actor that a process belongs to.
HOLDER: Final = MARK


class Witness:
    """Writes entries. Threads and processes may share it.

    Args:
        path: The file; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, what: str, **facts: object) -> None:
        """Write one entry."""
        line = json.dumps({"at": time.time(), "what": what, **facts}, separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")

    def read(self) -> list[Entry]:
        """Return all entries, in the order of writing, except one that is just being written."""
        return self.read_after(0)[0]

    def read_after(self, position: int) -> tuple[list[Entry], int]:
        """Return the entries from a position in the file on, and the position after them."""
        with self.path.open("rb") as file:
            file.seek(position)
            complete, end, _ = file.read().rpartition(b"\n")
        return [json.loads(line) for line in complete.splitlines()], position + len(complete) + len(end)
