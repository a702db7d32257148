"""Waits for the actors of a previous supervisor: a slot is not started while its old process is still ending.

Actors end by themselves when their supervisor does, but that takes a second or two, and the next supervisor may be
faster. `supervise.py` uses this when it starts. Invariant: a process is waited for, or killed, only if it was started
for this slot and this store by a supervisor that no longer runs.

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

from hero_process.proc import arguments_of, environ_of, process_ids, stat_of
from hero_process.signals import send_signal
from hero_supervisor.process.spec import ChildSpec

log = logging.getLogger(__name__)

#: Actors end within two seconds by themselves. One that takes longer than this hangs, and is killed. In seconds.
_PATIENCE_S = 5.0


class PreviousProcesses:
    """The actors that a previous supervisor has left.

    Args:
        host: Name of this machine, as it stands in incarnations.
        on_end: Called when one of them has ended.
    """

    def __init__(self, host: str, on_end: Callable[[], None]) -> None:
        self._host = host
        self._on_end = on_end
        self._pidfds: dict[int, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self, wanted: Iterable[ChildSpec]) -> None:
        """Find them. Call it once, before anything is started.

        Args:
            wanted: The slots that are about to start.
        """
        specs = {child.slot: child for child in wanted if child.actor.control}
        for pid in process_ids() if specs else ():
            if not (slot := self._slot_of(pid, specs)):
                continue
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                if self._slot_of(pid, specs) != slot:
                    os.close(pidfd)  # it has ended, and its id belongs to another process now
                    continue
                try:
                    asyncio.get_running_loop().add_reader(pidfd, self._on_exit, pidfd)
                except OSError:
                    os.close(pidfd)  # nobody would notice its end, and the slot would wait for ever
                    raise
                self._pidfds[pidfd] = slot
                log.warning("child.former", extra={"child": slot, "child_pid": pid, "next": "it is waited for"})
        if self._pidfds:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._kill_all)

    def holds(self, slot: str) -> bool:
        """Whether an old process of this slot still runs."""
        return slot in self._pidfds.values()

    def close(self) -> None:
        """Stop waiting."""
        for pidfd in tuple(self._pidfds):
            self._forget(pidfd)
        if self._timer is not None:
            self._timer.cancel()

    def _slot_of(self, pid: int, specs: Mapping[str, ChildSpec]) -> str:
        """Name the slot that a process was started for by a previous supervisor; empty for any other process."""
        flags = dict(pairwise(arguments_of(pid)))
        slot, incarnation = flags.get("--name", ""), flags.get("--incarnation", "")
        owner = re.fullmatch(rf"{re.escape(f'{slot}.{self._host}.')}(\d+)-\d+\.[0-9a-f]+", incarnation)
        if slot not in specs or owner is None:
            return ""
        actor = specs[slot].actor
        store = f"HERO_REDIS_URL={actor.env.get('HERO_REDIS_URL', '')}".encode()
        namespace = dict(pairwise(actor.command)).get("--namespace")
        same = store in environ_of(pid) and flags.get("--namespace") == namespace
        stat = stat_of(pid)
        # If its supervisor still is its parent, it belongs to another supervisor that runs beside this one.
        return slot if same and stat is not None and stat.parent != int(owner[1]) else ""

    def _on_exit(self, pidfd: int) -> None:
        self._forget(pidfd)
        self._on_end()

    def _forget(self, pidfd: int) -> None:
        asyncio.get_running_loop().remove_reader(pidfd)
        del self._pidfds[pidfd]
        os.close(pidfd)

    def _kill_all(self) -> None:
        for pidfd, slot in self._pidfds.items():
            log.error("child.former_killed", extra={"child": slot})
            with contextlib.suppress(PermissionError):
                send_signal(pidfd, signal.SIGKILL)
