"""The rolling restart: replaces the processes of slots, one at a time.

Owned here: which slot is next, its successor, and which process that replaces. `supervise.py` calls `advance` whenever
something has changed. There are two ways. **Successor first**: the new process comes up beside the owner; when it is
ready, it becomes the owner, and in the same step the old one is told to drain. **Drain first**: where two simultaneous
processes would break the order of a queue, the owner drains, and the new process starts when it has gone. Invariants: a
slot has one owner; at most one process more runs than is wanted; a new process that does not become ready ends the
roll, and the processes that have not been replaced stay. One that somebody kills is started again, a few times.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hero_supervisor.children.slot import Slot
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.policy.events import Stop, Tick
from hero_supervisor.process.spec import ActorSpec, ChildSpec

log = logging.getLogger(__name__)

#: So many new processes in a row may be killed by somebody else before the roll ends.
_MOST_KILLED = 3
#: How a process ends that an operator kills, or the kernel for want of memory. One that crashes ends otherwise.
_KILLED = ("signal 9 ", "signal 15 ")


@dataclass(frozen=True, slots=True, kw_only=True)
class RollReport:
    """The result of a rolling restart.

    Attributes:
        replaced: Slots that have a new process, in order of replacement.
        failed: The slot whose new process did not become ready; empty when none failed.
        reason: Why it failed, as far as known.
        kept: Slots that keep their old process or their old settings.
    """

    replaced: tuple[str, ...] = ()
    failed: str = ""
    reason: str = ""
    kept: tuple[str, ...] = ()


@dataclass(slots=True)
class _Step:
    """The slot that is being replaced."""

    name: str
    spec: ChildSpec
    old: Slot
    successor: Slot | None
    ran: bool
    promoted: bool = False
    killed: int = 0
    since_mono: float = field(default_factory=time.monotonic)


class Rolling:
    """The rolling restart of one supervisor.

    Args:
        make: Makes the successor of a slot for a spec; it goes on counting the starts and holds of the old one.
        slots: The owners, by name. This class replaces one when its successor takes over.
        wanted: What should run, by name. This class restores the old spec of slots that keep their process.
    """

    def __init__(
        self, make: Callable[[ChildSpec, Slot], Slot], slots: dict[str, Slot], wanted: dict[str, ChildSpec]
    ) -> None:
        self._make = make
        self._slots = slots
        self._wanted = wanted
        self._marked: dict[str, None] = {}
        self._step: _Step | None = None
        self._leaving: list[Slot] = []
        # By slot, the spec whose process did not become ready. It is not tried again.
        self._refused: dict[str, ActorSpec] = {}
        self._replaced: list[str] = []
        self._waiting: list[asyncio.Future[RollReport]] = []

    def mark(self, names: Iterable[str]) -> None:
        """Have the processes of these slots replaced, even though they run what is wanted."""
        for name in names:
            self._marked[name] = None
            self._refused.pop(name, None)

    def finished(self) -> asyncio.Future[RollReport]:
        """Give a future that is done when nothing is left to replace, or the roll has failed."""
        future: asyncio.Future[RollReport] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    @property
    def rolling(self) -> str:
        """The slot that is being replaced; empty when none is."""
        return self._step.name if self._step else ""

    def others(self) -> tuple[tuple[str, Slot], ...]:
        """List the slots that are not owners, each with its role."""
        step, found = self._step, [("retiring", slot) for slot in self._leaving]
        if step is not None and step.successor is not None:
            found.append(("retiring", step.old) if step.promoted else ("successor", step.successor))
        return tuple(found)

    def accept(self, name: str, spec: ChildSpec) -> ChildSpec:
        """Give the spec that a slot should run: this one, or the old one if this one has failed before."""
        refused = self._refused.get(name)
        if refused is None or name not in self._slots:
            return spec
        if refused == spec.actor:
            return self._wanted.get(name, spec)
        del self._refused[name]
        return spec

    def advance(self) -> None:
        """Go as far as possible without waiting."""
        self._leaving = [slot for slot in self._leaving if slot.child.phase is not Phase.STOPPED]
        while True:
            if self._step is not None and not self._go_on(self._step):
                return
            self._step = None
            name = next((name for name in self._wanted if self._is_stale(name)), None)
            if name is None:
                break
            self._begin(name)
        self._marked.clear()
        self._conclude(RollReport(replaced=tuple(self._replaced)))

    def _is_stale(self, name: str) -> bool:
        slot, spec = self._slots.get(name), self._wanted[name]
        if slot is None or slot.set_aside:
            return False
        # A slot that is about to stop will start with the wanted spec anyway.
        return name in self._marked or (slot.spec != spec and not slot.child.stopping)

    def _begin(self, name: str) -> None:
        old, spec = self._slots[name], self._wanted[name]
        self._marked.pop(name, None)
        # A process that does not run can be stopped first without a loss.
        ran = old.child.phase is Phase.RUNNING
        together = ran and spec.actor.successor_first and old.spec.actor.successor_first
        successor = self._make(spec, old) if together else None
        self._step = _Step(name, spec, old, successor, ran)
        log.info("roll.began", extra={"child": name, "successor_first": together})
        if successor is None:
            old.happens(Stop(patient=True))
        else:
            successor.happens(Tick())

    def _go_on(self, step: _Step) -> bool:
        """Move a step on, and say whether it is over."""
        if step.name not in self._wanted or step.old.set_aside:
            self._dismiss(step)
            return True
        new = step.successor
        if new is not None and not step.promoted and self._slots.get(step.name) is not step.old:
            self._dismiss(step)  # the owner was restarted with its group, and runs the wanted spec
            return True
        if new is None:
            new = self._slots.get(step.name, step.old)
            if new is step.old:
                return False
            if new.waits_for:
                return True  # it starts when its time has come; the other slots do not wait for it
        elif step.promoted:
            if step.old.child.phase is not Phase.STOPPED:
                return False
            self._succeed(step)
            return True
        if new.child.phase is Phase.RUNNING and new.unavailable and step.ran and not step.old.unavailable:
            if self._wanted[step.name] != step.spec:
                self._dismiss(step)
            else:
                self._fail(step, new)
            return True
        if new.child.phase is Phase.RUNNING:
            if step.successor is None:
                self._succeed(step)
                return True
            return self._promote(step, step.successor)
        if new.child.phase is Phase.ENDED and step.successor is None:
            self._succeed(step)
            return True
        if step.ran and self._was_killed(step, new):
            return False  # it starts again by itself
        if new.child.failures or new.child.phase in (Phase.FAILED, Phase.ENDED, Phase.STOPPED):
            if self._wanted[step.name] != step.spec:
                self._dismiss(step)  # another spec is wanted by now, and is tried next
            elif step.ran:
                self._fail(step, new)
            else:
                log.warning("roll.no_better", extra={"child": step.name, "phase": new.child.phase})
            return True
        return False

    def _was_killed(self, step: _Step, new: Slot) -> bool:
        """Whether the new process was killed by somebody else, which says nothing about it, and may be tried again."""
        failures = new.child.failures
        if not 0 < failures <= _MOST_KILLED or new.child.phase in (Phase.FAILED, Phase.ENDED, Phase.STOPPED):
            return False
        if failures > step.killed:
            if not new.view().last_exit.startswith(_KILLED) or step.killed != failures - 1:
                return False
            step.killed = failures
            log.warning(
                "roll.tried_again", extra={"child": step.name, "reason": new.view().last_exit, "time": failures}
            )
        return True

    def _promote(self, step: _Step, successor: Slot) -> bool:
        step.promoted = True
        self._slots[step.name] = successor
        if step.old.child.phase is not Phase.STOPPED:
            step.old.happens(Stop(patient=True))
        return False

    def _succeed(self, step: _Step) -> None:
        self._replaced.append(step.name)
        took_s = round(time.monotonic() - step.since_mono, 3)
        log.info("roll.replaced", extra={"child": step.name, "took_s": took_s})

    def _dismiss(self, step: _Step) -> None:
        leaving = step.old if step.promoted else step.successor
        if leaving is not None:
            leaving.happens(Stop(now=not step.promoted))
            self._leaving.append(leaving)

    def _fail(self, step: _Step, new: Slot) -> None:
        reason = new.unavailable or new.view().last_exit or f"it is {new.child.phase}"
        self._dismiss(step)
        kept = [step.name, *(name for name in self._wanted if name != step.name and self._is_stale(name))]
        for name in kept:
            had = step.old.spec if name == step.name else self._slots[name].spec
            if had.actor != self._wanted[name].actor:
                self._refused[name] = self._wanted[name].actor
                self._wanted[name] = had
        self._marked.clear()
        log.error("roll.stopped", extra={"child": step.name, "reason": reason, "kept": kept})
        self._conclude(RollReport(replaced=tuple(self._replaced), failed=step.name, reason=reason, kept=tuple(kept)))

    def _conclude(self, report: RollReport) -> None:
        self._replaced = []
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(report)
