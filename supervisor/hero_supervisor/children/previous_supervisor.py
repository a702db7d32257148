"""Processes of a supervisor that is gone: a slot is not started while the one before still ends.

Owned here: finding them and waiting for their end. Actors end by themselves when their supervisor does, but take a
second or two for that; a successor of the supervisor may be faster. Used by `supervise.py` at its start. Invariant:
only a process that was a child of a supervisor that lives no more, for this slot and this store, is waited for, or
ended.

Source: proc_pid_cmdline(5), proc_pid_environ(5), pidfd_open(2).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from hero_supervisor.children.spec import ChildSpec

log = logging.getLogger(__name__)

#: They end within two seconds by themselves; one that does not hangs, and is ended after this time.
_PATIENCE_S = 5.0


class Former:
    """Waits for the processes that a former supervisor has left.

    Args:
        host: Name of this machine, as it stands in incarnations.
        changed: Called when one has ended.
    """

    def __init__(self, host: str, changed: Callable[[], None]) -> None:
        self._host = host
        self._changed = changed
        self._pidfds: dict[int, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self, wanted: Iterable[ChildSpec]) -> None:
        """Find them, once, before anything is started.

        Args:
            wanted: The slots that are about to start.
        """
        specs = {child.slot: child for child in wanted if child.actor.control}
        for process in Path("/proc").glob("[0-9]*") if specs else ():
            if (found := self._slot_of(process, specs)) is None:
                continue
            slot, pid = found
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                if self._slot_of(process, specs) != found:
                    os.close(pidfd)  # it has ended, and the number is another's now
                    continue
                self._pidfds[pidfd] = slot
                asyncio.get_running_loop().add_reader(pidfd, self._on_exit, pidfd)
                log.warning("child.former", extra={"child": slot, "child_pid": pid, "next": "it is waited for"})
        if self._pidfds:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._end)

    def holds(self, slot: str) -> bool:
        """Whether a former process of this slot still runs."""
        return slot in self._pidfds.values()

    def close(self) -> None:
        """Wait for nobody any more."""
        for pidfd in tuple(self._pidfds):
            self._forget(pidfd)
        if self._timer is not None:
            self._timer.cancel()

    def _slot_of(self, process: Path, specs: Mapping[str, ChildSpec]) -> tuple[str, int] | None:
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            flags = dict(pairwise(command))
            slot, incarnation = flags.get("--name", ""), flags.get("--incarnation", "")
            owner = re.fullmatch(rf"{re.escape(f'{slot}.{self._host}.')}(\d+)-\d+\.[0-9a-f]+", incarnation)
            if slot not in specs or owner is None:
                return None
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            environ = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            return None  # it has ended, or is somebody else's
        actor = specs[slot].actor
        store = f"HERO_REDIS_URL={actor.env.get('HERO_REDIS_URL', '')}"
        wanted = dict(pairwise(actor.command))
        same = store in environ and flags.get("--namespace") == wanted.get("--namespace")
        # Whose parent lives is the child of another supervisor, which is no business of ours.
        return (slot, int(process.name)) if same and parent != int(owner[1]) else None

    def _on_exit(self, pidfd: int) -> None:
        self._forget(pidfd)
        self._changed()

    def _forget(self, pidfd: int) -> None:
        asyncio.get_running_loop().remove_reader(pidfd)
        del self._pidfds[pidfd]
        os.close(pidfd)

    def _end(self) -> None:
        for pidfd, slot in self._pidfds.items():
            log.error("child.former_killed", extra={"child": slot})
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
