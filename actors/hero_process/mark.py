"""The mark of an actor: an environment variable that everything the actor starts inherits.

The supervisor sets it on each actor process. It is how an orphan is traced to its actor, even when it has moved to
another session and has another parent. Called by the supervisor while it lives, and by the actor when its supervisor is
gone. A process that clears its environment loses the mark; the supervisor then goes by sessions.
"""

from __future__ import annotations

import os
import time
from typing import Final

from hero_process.proc import process_ids, settled_environ_of
from hero_process.signals import kill_if

#: Its value is the incarnation of the actor.
MARK: Final = "HERO_INCARNATION"


#: How often `kill_marked` looks at most, and how long it waits for processes that are between two programs, in seconds.
_MAX_ROUNDS = 50
_BETWEEN_S = 0.01


def mark_of(pid: int) -> str | None:
    """Read the incarnation that a process is marked with.

    Returns:
        The incarnation; empty when it has no mark or does not let us look; None when it cannot be told now, because the
        process is just executing another program, or exiting.
    """
    environ = settled_environ_of(pid)
    if environ is None:
        return None
    start = f"{MARK}=".encode()
    marks = (entry for entry in environ if entry.startswith(start))
    return next(marks, b"").removeprefix(start).decode(errors="replace")


def kill_marked(incarnation: str) -> int:
    """Kill all processes that carry the mark of an incarnation, except this one.

    Args:
        incarnation: Whose mark.

    Returns:
        How many processes were killed.
    """
    entry = f"{MARK}={incarnation}".encode()
    own_pid = os.getpid()
    killed: set[int] = set()
    between: set[int] = set()

    def is_meant(pid: int) -> bool:
        environ = settled_environ_of(pid)
        if environ is None:
            between.add(pid)
        return environ is not None and entry in environ

    # At least twice: the second round finds what one of them started during the first.
    for number in range(_MAX_ROUNDS):
        between.clear()
        for pid in process_ids():
            # A process that was killed may be found again before it has ended.
            if pid != own_pid and is_meant(pid) and kill_if(pid, is_meant):
                killed.add(pid)
        if number and not between:
            break
        if between:
            time.sleep(_BETWEEN_S)
    return len(killed)
