"""The loop that keeps the wanted actor processes running.

Owned here: which slots there are, the order in which they start, and which are restarted together. `slot.py` handles
what happens within a slot, and `rolling.py` replaces processes one by one. `service.py` and the fleet use this on the
asyncio loop of the main thread. Invariants: every tick compares what runs with what is wanted, so a lost event only
causes a delay; nothing here waits for a child, so a stuck child delays no other.
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

from hero_supervisor.children.child_view import ChildView, SlotPhase
from hero_supervisor.children.previous_supervisor import PreviousProcesses
from hero_supervisor.children.rolling import Rolling, RollReport
from hero_supervisor.children.slot import RECOVER_WAIT_S, Slot, SlotContext
from hero_supervisor.children.start_order import earlier, restarted_with
from hero_supervisor.policy.child_state import Phase, Restart
from hero_supervisor.policy.events import Silent, Start, Stop, Tick
from hero_supervisor.process.child_log import ActorLogs
from hero_supervisor.process.fork_server import ForkServer
from hero_supervisor.process.spec import ActorSpec, ChildSpec
from hero_supervisor.upkeep.actor_events import SlotEvent
from hero_supervisor.upkeep.recovery import JobRecovery

log = logging.getLogger(__name__)

#: Seconds between two general ticks. Starts and deadlines have their own timers.
TICK_S = 0.5


def host_name() -> str:
    """Give the name of this machine as it stands in incarnations."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "localhost"


class Supervision:
    """Keeps actor processes running.

    Args:
        recovery: Hands back the jobs of a child that has ended.
        on_tick: Called at every tick.
        roll: Gives chances in [0, 1).
        environ: The environment that children inherit; that of this process when None.
        on_exit: Called after every end of a process.
        tell: Called with each event that other programs may follow (`upkeep/actor_events.py`).
        fork_from: Number of actors from which on a fork server starts them; 0 for never. Only for a program that adopts
            its orphans.
    """

    def __init__(
        self,
        recovery: JobRecovery,
        *,
        on_tick: Callable[[], None] = lambda: None,
        roll: Callable[[], float] = random.random,
        environ: Mapping[str, str] | None = None,
        on_exit: Callable[[], None] = lambda: None,
        tell: Callable[[SlotEvent], None] = lambda _: None,
        fork_from: int = 0,
    ) -> None:
        self._on_tick = on_tick
        self._fork_from = fork_from
        environ = os.environ if environ is None else environ
        self._fork_server = ForkServer(environ, lambda: self._on_event(True)) if fork_from else None
        self._context = SlotContext(
            recovery=recovery,
            roll=roll,
            environ=environ,
            host=host_name(),
            on_event=self._on_event,
            on_crash=self._on_crash,
            on_exit=on_exit,
            tell=tell,
            fork_server=self._fork_server,
        )
        self._wanted: dict[str, ChildSpec] = {}
        self._slots: dict[str, Slot] = {}
        self._rolling = Rolling(self._successor, self._slots, self._wanted)
        self._previous = PreviousProcesses(self._context.host, lambda: self._on_event(True))
        self._changed = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._reconcile_due = False

    def want(self, specs: Iterable[ActorSpec]) -> None:
        """Set which processes there should be. Missing ones are started, and others are drained.

        Args:
            specs: All entries that are wanted. Processes whose spec has changed are replaced, one at a time.
        """
        wanted = {child.slot: self._rolling.accept(child.slot, child) for spec in specs for child in spec.children()}
        self._wanted.clear()
        self._wanted.update(wanted)
        if self._fork_server is not None:
            self._fork_server.want(sum(child.actor.forkable for child in wanted.values()) >= self._fork_from)
        if self._ticking is not None:
            self._reconcile()

    def start(self) -> asyncio.Task[None]:
        """Start to keep them running. Call it on the running loop, in the main thread.

        Returns:
            The task of the loop. It ends by itself only because of a defect.
        """
        self._ticking = asyncio.create_task(self._tick_forever(), name="supervise")
        self._previous.look(self._wanted.values())
        self._reconcile()
        return self._ticking

    async def stop(self, *, now: bool = False) -> None:
        """Stop all children, giving each its time to drain, and wait until the last has ended.

        Args:
            now: Kill them instead. This may be called while another call waits.
        """
        self._wanted.clear()
        for slot in self._all():
            slot.happens(Stop(now=now))
        self._reconcile()
        while self._all():
            await self._change()
        if self._fork_server is not None:
            self._fork_server.want(False)
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self._previous.close()
        if self._context.recoveries:
            await asyncio.wait(self._context.recoveries, timeout=RECOVER_WAIT_S)

    async def settled(self) -> tuple[ChildView, ...]:
        """Wait until each wanted child is ready, has ended, cannot start, or has crashed more than once.

        Returns:
            The children at that moment.
        """
        while not all(self._is_settled(name) for name in self._wanted):
            await self._change()
        return self.children()

    def children(self) -> tuple[ChildView, ...]:
        """Show all slots, in the order of the config, and after them those that a rolling restart adds."""
        return tuple(slot.view(role) for role, slot in self._ordered())

    def phases(self) -> tuple[SlotPhase, ...]:
        """Show the same slots, but of each no more than its phase, which costs a tenth of `children`."""
        return tuple(SlotPhase(slot.name, slot.child.phase, slot.unavailable) for _, slot in self._ordered())

    def _ordered(self) -> list[tuple[str, Slot]]:
        place = {name: number for number, name in enumerate(self._wanted)}
        owners = sorted(self._slots.values(), key=lambda slot: place.get(slot.name, len(place)))
        return [*(("owner", slot) for slot in owners), *self._rolling.others()]

    @property
    def logs(self) -> ActorLogs:
        """What the processes print."""
        return self._context.logs

    def processes(self) -> dict[int, str]:
        """Give the running processes: process id -> incarnation."""
        return dict(process for slot in self._all() if (process := slot.process) is not None)

    def fork_server_pid(self) -> int | None:
        """Give the process that forks actors; None when there is none."""
        return None if self._fork_server is None else self._fork_server.pid

    def silent(self, incarnation: str, for_s: float) -> None:
        """Replace an actor that has not answered a ping, unless it lost its store meanwhile.

        Args:
            incarnation: The actor.
            for_s: Seconds that it had to answer.
        """
        now = time.monotonic()
        for slot in self._all():
            up_since = slot.child.store_up_since
            if slot.view().incarnation == incarnation and up_since is not None and now - up_since >= for_s:
                slot.happens(Silent(f"no answer to a ping for {for_s:.1f} s"))

    # Commands of operators for single slots

    def set_aside(self, names: Iterable[str]) -> None:
        """Stop slots until an operator starts them again. They drain first."""
        for name in names:
            slot = self._slots[name]
            slot.set_aside = True
            slot.happens(Stop())

    def start_again(self, names: Iterable[str]) -> None:
        """Start slots now, whether they were stopped, have ended, failed to start, or pause before their next start."""
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
            A future of the result: all are replaced, or a new process did not become ready.
        """
        self._rolling.mark(names)
        finished = self._rolling.finished()
        self._reconcile()
        return finished

    @property
    def rolling(self) -> str:
        """The slot that is being replaced; empty when none is."""
        return self._rolling.rolling

    # Comparing what runs with what is wanted

    def _all(self) -> tuple[Slot, ...]:
        return (*self._slots.values(), *(slot for _, slot in self._rolling.others()))

    def _is_settled(self, name: str) -> bool:
        slot = self._slots.get(name)
        if slot is None or slot.spec != self._wanted.get(name):
            return False
        # A slot that waits for one that does not come up has its result too.
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
                    self._context.logs.forget(self._slots.keys())
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

    def _new(self, spec: ChildSpec, replaced: Slot | None = None) -> Slot:
        if replaced is None:
            return Slot(spec, self._context)
        return Slot(spec, self._context, starts=replaced.starts, holds=replaced.holds)

    def _successor(self, spec: ChildSpec, replaced: Slot) -> Slot:
        successor = self._new(spec, replaced)
        successor.fresh = False  # the slot has already had its turn in the start order
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
        if self._previous.holds(name):
            going += (f"{name} of a previous supervisor",)
        if not slot.fresh:
            return going
        if self._fork_server is not None and self._fork_server.loading and slot.spec.actor.forkable:
            going += ("the fork server",)
        return going + tuple(n for n in earlier(name, self._wanted) if n not in self._slots or not self._slots[n].up)

    async def _tick_forever(self) -> None:
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

    def _on_event(self, moved: bool) -> None:
        self._changed.set()
        if moved and not self._reconcile_due:
            # Deferred, so that the caller finishes its own change first.
            self._reconcile_due = True
            asyncio.get_running_loop().call_soon(self._reconcile)

    def _on_crash(self, crashed: Slot) -> None:
        """Restart the group of a slot that has crashed. The slot itself starts again after they have stopped."""
        if self._slots.get(crashed.name) is not crashed:
            return
        names = restarted_with(crashed.name, self._wanted)
        group = [self._slots[name] for name in names if name in self._slots]
        group = [slot for slot in group if not slot.set_aside and slot.child.phase is not Phase.STOPPED]
        if not group:
            return
        strategy = crashed.spec.actor.strategy
        log.warning("group.restarted", extra={"child": crashed.name, "strategy": strategy, "with": names})
        crashed.fresh = True
        crashed.outlasts = tuple(group)
        crashed.waits_for = tuple(slot.name for slot in group)
        for slot in group:
            # TEMPORARY children are not restarted with their group.
            slot.set_aside = slot.spec.actor.limits.restart is Restart.TEMPORARY
            if not slot.child.stopping:
                slot.happens(Stop())
