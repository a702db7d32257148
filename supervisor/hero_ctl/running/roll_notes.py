"""Tells a person how a rolling restart goes on, while the command waits for its end.

A thread looks at the processes of the supervisor once a second. Invariant: it changes nothing, and no failure of a look
ends the command; the answer to the restart itself does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from hero_ctl.output.console import print_note

_LOOK_S: Final = 1.0


class RollNotes:
    """Prints a note whenever a process changes its phase; used as a context around the restart.

    Args:
        look: Returns the rows of the RPC method `list_actors`. It may raise `SystemExit` or `OSError`.
        name: An entry, a process, or "*" for all.
    """

    def __init__(self, look: Callable[[], Iterable[Mapping[str, Any]]], name: str) -> None:
        self._look = look
        self._name = name
        self._phases: dict[str, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Print nothing from now on."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.wait(_LOOK_S):
            try:
                rows = list(self._look())
            except (SystemExit, OSError):
                return
            for row in rows:
                slot = row.get("supervised")
                if slot and self._name in ("*", slot["entry"], slot["slot"]) and not self._over.is_set():
                    self._note(slot)

    def _note(self, slot: Mapping[str, Any]) -> None:
        phase = str(slot["phase"])
        before = self._phases.get(slot["incarnation"], "running")
        self._phases[slot["incarnation"]] = phase
        if phase == before:
            return
        busy = f", {slot['busy']} jobs still run" if phase == "draining" and slot["busy"] else ""
        print_note(
            f"{slot['slot']} (process {slot['pid']}) is {phase}{busy}" if slot["pid"] else f"{slot['slot']} waits"
        )
