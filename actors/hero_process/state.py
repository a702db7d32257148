"""What is wrong with the state of a running process, as the kernel tells it.

`heroctl doctor` asks. Invariant: a process that has ended, or that another user owns, has nothing wrong.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Final

#: Signals that ask a process to end or to read its config again.
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STREAMS: Final = ("input", "output", "error output")


def impairments(pid: int) -> list[str]:
    """Find out what keeps a process from being ended or from being heard.

    Args:
        pid: The process.

    Returns:
        In words that go on after "the process"; empty if nothing is wrong.
    """
    found: list[str] = []
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        open_fds = {entry.name for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return found
    blocked = re.search(r"^SigBlk:\s*([0-9a-f]+)$", status, re.MULTILINE)
    mask = int(blocked[1], 16) if blocked else 0
    if names := [number.name for number in _SIGNALS if mask >> (number - 1) & 1]:
        found.append(f"blocks {', '.join(names)}")
    if closed := [name for number, name in enumerate(_STREAMS) if str(number) not in open_fds]:
        found.append(f"has no standard {', '.join(closed)}")
    return found
