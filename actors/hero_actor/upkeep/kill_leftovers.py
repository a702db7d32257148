"""Kills the processes that an actor's jobs have left running, for an actor whose supervisor is gone.

The supervisor marks the environment of each actor. Everything that the actor starts inherits the mark, in any session
and under any parent, so the mark identifies its processes. A living supervisor adopts the orphans of its actors and
kills them itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading

from hero_process.mark import kill_marked
from hero_process.proc import children_of

log = logging.getLogger(__name__)


def kill_leftovers(incarnation: str) -> int:
    """Kill all other processes that carry the mark of an incarnation.

    Args:
        incarnation: Name of the incarnation, the value of the mark.

    Returns:
        How many processes were killed.
    """
    count = kill_marked(incarnation)
    if count:
        log.warning("actor.remains_ended", extra={"processes": count})
    return count


def reap_inherited_children() -> None:
    """Reap the children that this process had before it became this program.

    An actor that replaces its own program keeps the child processes of its former engine. They end by themselves, but
    only this process can reap them. Call this before the program starts any child of its own.
    """
    for pid in children_of(os.getpid()):
        threading.Thread(target=_reap, args=(pid,), name=f"reap {pid}", daemon=True).start()


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
