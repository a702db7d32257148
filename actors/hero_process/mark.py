"""The mark of an actor: an environment variable that everything the actor starts inherits.

The supervisor sets it on each actor process. It is how an orphan is traced to its actor, even when it has moved to
another session and has another parent. Called by the supervisor while it lives, and by the actor when its supervisor is
gone. A process that clears its environment loses the mark; the supervisor then goes by sessions.
"""

from __future__ import annotations

import os
from typing import Final

from hero_process.proc import environ_of, process_ids
from hero_process.signals import kill_if

#: Its value is the incarnation of the actor.
MARK: Final = "HERO_INCARNATION"


def mark_of(pid: int) -> str:
    """Read the incarnation that a process is marked with; empty when it has no mark or does not let us look."""
    start = f"{MARK}=".encode()
    marks = (entry for entry in environ_of(pid) if entry.startswith(start))
    return next(marks, b"").removeprefix(start).decode(errors="replace")


def kill_marked(incarnation: str) -> int:
    """Kill all processes that carry the mark of an incarnation, except this one.

    Args:
        incarnation: Whose mark.

    Returns:
        How many processes were killed.
    """
    entry = f"{MARK}={incarnation}".encode()
    own_pid, count = os.getpid(), 0
    # Twice: the second round finds what one of them started during the first.
    for _ in range(2):
        for pid in process_ids():
            count += pid != own_pid and kill_if(pid, lambda pid: entry in environ_of(pid))
    return count
