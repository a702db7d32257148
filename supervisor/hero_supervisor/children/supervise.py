"""The loop that keeps the wanted actor processes running.

Owned here: which slots there are, in which order they start, and who is started anew with whom. What happens inside of
one is `slot.py`'s, their replacement one by one is `rolling.py`'s. Used by `service.py`, on its asyncio loop and in the
main thread. Invariant: at every tick what runs is compared with what is wanted, so an event that went missing only
delays; and nothing here waits for a child, so a stuck one delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping

from hero_supervisor.children.child_log import ActorLogs
from hero_supervisor.children.policy import Phase, Restart
from hero_supervisor.children.policy_events import Silent, Start, Stop, Tick
from hero_supervisor.children.previous_supervisor import Former
from hero_supervisor.children.rolling import Rolling, RollReport
from hero_supervisor.children.slot import RECOVER_WAIT_S, ChildView, Slot, Surroundings
from hero_supervisor.children.spec import ActorSpec, ChildSpec
from hero_supervisor.children.start_order import earlier, fallen_with
from hero_supervisor.upkeep.recovery import Sweep

log = logging.getLogger(__name__)

#: Time between two general ticks, in seconds. Starts, deadlines and the like have timers of their own.
TICK_S = 0.5


def host_name() -> str:
    """Name of this machine as it stands in incarnations."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "localhost"


class Supervision:
    """Keeps actor processes running.

    Args:
        sweep: Hands back the jobs of a child that has ended.
        on_tick: Called at every tick, for what must prove that this loop turns.
        roll: Gives chances in [0, 1).
        environ: The environment that children inherit; that of this process when None.
        on_exit: Called after every end of a process.
        tell: Called with what others may want to know of a process; see `news.py`.
    """

    def __init__(
        self,
        sweep: Sweep,
        *,
        on_tick: Callable[[], None] = lambda: None,
        roll: Callable[[], float] = random.random,
        environ: Mapping[str, str] | None = None,
        on_exit: Callable[[], None] = lambda: None,
        tell: Callable[[str, str, str, str, str], None] = lambda *_: None,
    ) -> None:
        self._on_tick = on_tick
        self._around = Surroundings(
            sweep=sweep,
            roll=roll,
            environ=os.environ if environ is None else environ,
            host=host_name(),
            changed=self._on_change,
            crashed=self._on_crash,
            ended=on_exit,
            tell=tell,
        )
        self._wanted: dict[str, ChildSpec] = {}
        self._slots: dict[str, Slot] = {}
        self._rolling = Rolling(self._successor, self._slots, self._wanted)
        self._former = Former(self._around.host, lambda: self._on_change(True))
        self._changed = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._reconcile_due = False

    def want(self, specs: Iterable[ActorSpec]) -> None:
        """Say which processes there should be. Those that should not are drained, those that are missing are started.

        Args:
            specs: All that are wanted. Slots whose spec has changed are replaced, one at a time.
        """
        wanted = {child.slot: self._rolling.accept(child.slot, child) for spec in specs for child in spec.children()}
        self._wanted.clear()
        self._wanted.update(wanted)
        if self._ticking is not None:
            self._reconcile()

    def start(self) -> asyncio.Task[None]:
        """Begin to keep them running. Call it on the running loop, in the main thread.

        Returns:
            The task that ticks; it ends by itself only by a defect.
        """
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="supervise")
        self._former.look(self._wanted.values())
        self._reconcile()
        return self._ticking

    async def stop(self, *, now: bool = False) -> None:
        """Stop all children, each with its own time to drain, and wait until the last has ended.

        Args:
            now: Kill them instead. May be called while another call waits.
        """
        self._wanted.clear()
        for slot in self._all():
            slot.happens(Stop(now=now))
        self._reconcile()
        while self._all():
            await self._change()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self._former.close()
        if self._around.recoveries:
            await asyncio.wait(self._around.recoveries, timeout=RECOVER_WAIT_S)

    async def settled(self) -> tuple[ChildView, ...]:
        """Wait until each wanted child is ready, has ended, cannot start, or has crashed more than once.

        Returns:
            The children as they are then.
        """
        while not all(self._is_settled(name) for name in self._wanted):
            await self._change()
        return self.children()

    def children(self) -> tuple[ChildView, ...]:
        """All slots, in the order of the config; after them what a rolling restart adds."""
        ordered = sorted(self._slots.values(), key=lambda slot: self._place.get(slot.name, len(self._place)))
        return tuple(slot.view() for slot in ordered) + tuple(slot.view(role) for role, slot in self._rolling.others())

    @property
    def logs(self) -> ActorLogs:
        """What the processes write."""
        return self._around.logs

    def processes(self) -> dict[int, str]:
        """The running processes: process id -> incarnation."""
        return {view.pid: view.incarnation for view in self.children() if view.pid is not None}

    def silent(self, incarnation: str, for_s: float) -> None:
        """Replace an actor that has not answered, if its store was there all the time.

        Args:
            incarnation: Which.
            for_s: Seconds that it had.
        """
        now = time.monotonic()
        for slot in self._all():
            up_since = slot.child.store_up_since
            if slot.view().incarnation == incarnation and up_since is not None and now - up_since >= for_s:
                slot.happens(Silent(f"no answer to a ping for {for_s:.1f} s"))

    # What operators want of single slots

    def set_aside(self, names: Iterable[str]) -> None:
        """Stop slots until they are started again; they drain first."""
        for name in names:
            slot = self._slots[name]
            slot.set_aside = True
            slot.happens(Stop())

    def start_again(self, names: Iterable[str]) -> None:
        """Start slots now: those that were stopped, have ended, cannot start, or pause before their next start."""
        for name in names:
            slot = self._slots[name]
            if slot.set_aside:
                slot.set_aside = False
            else:
                slot.happens(Start())
        self._reconcile()

    def replace(self, names: Iterable[str]) -> asyncio.Future[RollReport]:
        """Replace the processes of slots, one at a time.

        Returns:
            Tells when all are replaced, or a new one did not become ready.
        """
        self._rolling.mark(names)
        finished = self._rolling.finished()
        self._reconcile()
        return finished

    @property
    def rolling(self) -> str:
        """The slot that is being replaced; empty when none is."""
        return self._rolling.rolling

    # What should be and what is

    @property
    def _place(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self._wanted)}

    def _all(self) -> tuple[Slot, ...]:
        return (*self._slots.values(), *(slot for _, slot in self._rolling.others()))

    def _is_settled(self, name: str) -> bool:
        slot = self._slots.get(name)
        if slot is None or slot.spec != self._wanted.get(name):
            return False
        # Who waits for one that does not come up has come to its result too.
        return slot.child.settled or any(self._is_settled(other) for other in slot.waits_for if other in self._wanted)

    def _reconcile(self) -> None:
        self._reconcile_due = False
        for name, slot in tuple(self._slots.items()):
            spec = self._wanted.get(name)
            if slot.child.phase is Phase.STOPPED and not (slot.set_aside and spec is not None):
                del self._slots[name]
                if spec is not None:
                    self._slots[name] = self._new(spec, slot)
                else:
                    self._around.logs.forget(self._slots.keys())
            elif spec is None:
                if not slot.child.stopping:
                    slot.happens(Stop())
            elif slot.spec is not spec and (slot.spec == spec or slot.set_aside):
                slot.respec(spec)
        for name, spec in self._wanted.items():
            if name not in self._slots:
                self._slots[name] = self._new(spec)
        self._rolling.advance()
        self._open_gates()
        self._changed.set()

    def _new(self, spec: ChildSpec, former: Slot | None = None) -> Slot:
        if former is None:
            return Slot(spec, self._around)
        return Slot(spec, self._around, starts=former.starts, holds=former.holds)

    def _successor(self, spec: ChildSpec, former: Slot) -> Slot:
        successor = self._new(spec, former)
        successor.fresh = False  # it takes the place of one that has had its turn
        return successor

    def _open_gates(self) -> None:
        for name, slot in tuple(self._slots.items()):
            if slot.child.phase is not Phase.WAITING or name not in self._wanted:
                continue
            slot.waits_for = self._waits_for(name, slot)
            if not slot.waits_for and (slot.child.due is None or slot.child.due <= time.monotonic()):
                slot.happens(Tick())

    def _waits_for(self, name: str, slot: Slot) -> tuple[str, ...]:
        going = tuple(other.name for other in slot.outlasts if other.child.phase is not Phase.STOPPED)
        if self._former.holds(name):
            going += (f"{name} of a former supervisor",)
        if not slot.fresh:
            return going
        return going + tuple(n for n in earlier(name, self._wanted) if n not in self._slots or not self._slots[n].up)

    async def _tick_for_ever(self) -> None:
        planned = time.monotonic()
        while True:
            planned += TICK_S
            await asyncio.sleep(max(0.0, planned - time.monotonic()))
            late_s = max(0.0, time.monotonic() - planned)
            planned += late_s
            for slot in self._all():
                slot.happens(Tick(late_s))
            self._reconcile()
            self._on_tick()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _on_change(self, moved: bool) -> None:
        self._changed.set()
        if moved and not self._reconcile_due:
            # Not at once: whoever is in the middle of something finishes that first.
            self._reconcile_due = True
            asyncio.get_running_loop().call_soon(self._reconcile)

    def _on_crash(self, crashed: Slot) -> None:
        """Start those anew that stand or fall with a slot that has crashed; it starts again after they have gone."""
        if self._slots.get(crashed.name) is not crashed:
            return
        names = fallen_with(crashed.name, self._wanted)
        fallen = [self._slots[name] for name in names if name in self._slots]
        fallen = [slot for slot in fallen if not slot.set_aside and slot.child.phase is not Phase.STOPPED]
        if not fallen:
            return
        strategy = crashed.spec.actor.strategy
        log.warning("group.restarted", extra={"child": crashed.name, "strategy": strategy, "with": names})
        crashed.fresh = True
        crashed.outlasts = tuple(fallen)
        crashed.waits_for = tuple(slot.name for slot in fallen)
        for slot in fallen:
            # One that is never started again is not by this either.
            slot.set_aside = slot.spec.actor.limits.restart is Restart.TEMPORARY
            if not slot.child.stopping:
                slot.happens(Stop())
