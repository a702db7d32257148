"""The loop that keeps the wanted actor processes running.

Owned here: the slots and their processes, and everything that touches them: exits by pidfd, words on control sockets,
ticks. Each event goes to the policy, and what the policy answers is done. Used by `service.py`, on its asyncio loop and
in the main thread. Invariant: at every tick what runs is compared with what is wanted, so an event that went missing
only delays; and nothing here waits for a child, so a stuck one delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from hero_supervisor.child import ChildProcess
from hero_supervisor.events import (
    Action,
    Beat,
    Drain,
    Draining,
    Event,
    Exited,
    Kill,
    Lane,
    Ready,
    Report,
    Spawn,
    Stop,
    Terminate,
    Tick,
)
from hero_supervisor.exits import describe
from hero_supervisor.policy import Child, Phase, decide, next_due
from hero_supervisor.spec import ActorSpec, ChildSpec
from hero_supervisor.sweep import Sweep

log = logging.getLogger(__name__)

#: Time between two general ticks, in seconds. Starts, deadlines and the like have timers of their own.
TICK_S = 0.5
#: How long a restart waits for the jobs of the dead to be handed back. With the store away they follow later.
_RECOVER_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildView:
    """One slot, as others see it.

    Attributes:
        slot: Its name: `osis-1`.
        script_type: Script type it serves.
        phase: Where it is in its life.
        pid: Process id; None without a process.
        incarnation: Its name in Redis at the last start; empty before the first.
        restarts: Starts after the first.
        held: It restarted too often and is tried at the longest pause only.
        starts_in_s: Seconds until the next start; None when none is due.
        last_exit: How the last process ended, in words; empty before.
        for_s: Seconds since the phase last changed.
        busy: Lanes that run a job.
        jobs: Jobs that this process has run.
        rss_bytes: Its resident memory, as it last said.
    """

    slot: str
    script_type: str
    phase: Phase
    pid: int | None
    incarnation: str
    restarts: int
    held: bool
    starts_in_s: float | None
    last_exit: str
    for_s: float
    busy: int
    jobs: int
    rss_bytes: int


@dataclass(slots=True)
class _Slot:
    """One slot with its process, if any."""

    spec: ChildSpec
    child: Child
    process: ChildProcess | None = None
    incarnation: str = ""
    starts: int = 0
    last_exit: str = ""
    busy: int = 0
    jobs: int = 0
    rss_bytes: int = 0
    timer: asyncio.TimerHandle | None = None
    #: The process has ended and its jobs are being handed back; the policy hears of its end after that.
    recovering: bool = False


class Supervision:
    """Keeps actor processes running.

    Args:
        sweep: Hands back the jobs of a child that has ended.
        on_tick: Called at every tick, for what must prove that this loop turns.
        roll: Gives chances in [0, 1).
        environ: The environment that children inherit; that of this process when None.
    """

    def __init__(
        self,
        sweep: Sweep,
        *,
        on_tick: Callable[[], None] = lambda: None,
        roll: Callable[[], float] = random.random,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._sweep = sweep
        self._on_tick = on_tick
        self._roll = roll
        self._environ = os.environ if environ is None else environ
        self._host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "localhost"
        self._wanted: dict[str, ChildSpec] = {}
        self._slots: dict[str, _Slot] = {}
        self._changed = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._recoveries: set[asyncio.Task[None]] = set()

    def want(self, specs: Iterable[ActorSpec]) -> None:
        """Say which processes there should be. Those that should not are drained, those that are missing are started.

        Args:
            specs: All that are wanted. A slot whose spec has changed is drained and started anew.
        """
        self._wanted = {child.slot: child for spec in specs for child in spec.children()}
        if self._ticking is not None:
            self._reconcile()

    def start(self) -> asyncio.Task[None]:
        """Begin to keep them running. Call it on the running loop, in the main thread.

        Returns:
            The task that ticks; it ends by itself only by a defect.
        """
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="supervise")
        self._reconcile()
        return self._ticking

    async def stop(self, *, now: bool = False) -> None:
        """Stop all children, each with its own time to drain, and wait until the last has ended.

        Args:
            now: Kill them instead. May be called while another call waits.
        """
        self._wanted = {}
        for slot in tuple(self._slots.values()):
            self._happens(slot, Stop(now=now))
        while self._slots:
            await self._change()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if self._recoveries:
            await asyncio.wait(self._recoveries, timeout=_RECOVER_WAIT_S)

    async def settled(self) -> tuple[ChildView, ...]:
        """Wait until each wanted child is ready, cannot start, or has crashed more than once.

        Returns:
            The children as they are then.
        """
        while not self._is_settled():
            await self._change()
        return self.children()

    def children(self) -> tuple[ChildView, ...]:
        """All slots, in the order of their start."""
        now = time.monotonic()
        return tuple(_view(slot, now) for slot in self._slots.values())

    # What should be and what is

    def _is_settled(self) -> bool:
        return all(
            (slot := self._slots.get(name)) is not None and slot.spec == spec and slot.child.settled
            for name, spec in self._wanted.items()
        )

    def _reconcile(self) -> None:
        for name, slot in tuple(self._slots.items()):
            if slot.child.phase is Phase.STOPPED:
                del self._slots[name]
                self._changed.set()
            elif self._wanted.get(name) != slot.spec and not slot.child.stopping:
                self._happens(slot, Stop())
        for name, spec in self._wanted.items():
            if name not in self._slots:
                child = Child(limits=spec.actor.limits, control=spec.actor.control)
                self._slots[name] = slot = _Slot(spec=spec, child=child)
                self._happens(slot, Tick())

    async def _tick_for_ever(self) -> None:
        planned = time.monotonic()
        while True:
            planned += TICK_S
            await asyncio.sleep(max(0.0, planned - time.monotonic()))
            late_s = max(0.0, time.monotonic() - planned)
            planned += late_s
            for slot in tuple(self._slots.values()):
                self._happens(slot, Tick(late_s))
            self._reconcile()
            self._on_tick()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # Events in, actions out

    def _happens(self, slot: _Slot, event: Event) -> None:
        if slot.recovering and isinstance(event, Tick):
            return  # it has no process to be judged, and is not to be started yet
        slot.child, actions = decide(slot.child, event, time.monotonic())
        for action in actions:
            self._act(slot, action)
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None
        if (due := next_due(slot.child)) is not None:
            pause_s = max(0.0, due - time.monotonic())
            slot.timer = asyncio.get_running_loop().call_later(pause_s, self._happens, slot, Tick())
        if slot.child.phase is Phase.STOPPED:
            asyncio.get_running_loop().call_soon(self._reconcile)
        self._changed.set()

    def _act(self, slot: _Slot, action: Action) -> None:
        process = slot.process
        match action:
            case Spawn():
                self._spawn(slot)
            case Drain():
                if process is not None:
                    self._drain(slot, process)
            case Terminate():
                if process is not None:
                    process.signal(signal.SIGINT if slot.spec.actor.control else signal.SIGTERM)
            case Kill(reason):
                log.error("child.killed", extra={"child": slot.spec.slot, "reason": reason})
                if process is not None:
                    process.kill_group()
            case Report():
                _report(slot, action)
            case _:
                assert_never(action)

    def _drain(self, slot: _Slot, process: ChildProcess) -> None:
        if not slot.spec.actor.control:
            process.signal(signal.SIGTERM)
            return
        process.send({"command": "drain"})
        # Its first INT drains too, and makes that of `Terminate` the second, which ends it now. Two at once would not
        # do: signals of one number that wait are one. Before it is ready it may not have its own way with INT yet.
        if slot.child.ready is not None:
            process.signal(signal.SIGINT)

    def _spawn(self, slot: _Slot) -> None:
        loop = asyncio.get_running_loop()
        incarnation = f"{slot.spec.slot}.{self._host}.{os.getpid()}-{slot.starts}.{secrets.token_hex(4)}"
        try:
            process = ChildProcess.spawn(slot.spec, incarnation, self._environ)
        except OSError as e:
            log.error("child.not_started", extra={"child": slot.spec.slot, "reason": str(e)})
            loop.call_soon(self._happens, slot, Exited(None, self._roll()))
            return
        slot.process = process
        slot.incarnation = incarnation
        slot.starts += 1
        slot.busy = slot.jobs = slot.rss_bytes = 0
        loop.add_reader(process.pidfd, self._on_exit, slot, process)
        if process.control is not None:
            loop.add_reader(process.control.fileno(), self._on_control, slot, process)
        log.info("child.started", extra={"child": slot.spec.slot, "child_pid": process.pid, "incarnation": incarnation})

    def _on_control(self, slot: _Slot, process: ChildProcess) -> None:
        messages = process.receive()
        if messages is None:
            # It has closed its end: it is about to exit, or has lost its mind and will be missed for its beats.
            self._close_control(process)
            return
        for message in messages:
            self._on_message(slot, message)

    def _on_message(self, slot: _Slot, message: Mapping[str, Any]) -> None:
        match message.get("event"):
            case "ready":
                first = slot.child.ready is None
                self._happens(slot, Ready())
                if first:
                    log.info("child.ready", extra={"child": slot.spec.slot, "after_s": _since(slot.child.started)})
            case "beat":
                beat = read_beat(message)
                slot.busy = sum(lane.state == "running" for lane in beat.lanes)
                slot.jobs = _whole(message.get("jobs"))
                slot.rss_bytes = _whole(message.get("rss_bytes"))
                self._happens(slot, beat)
            case "draining":
                self._happens(slot, Draining(str(message.get("reason", ""))))
            case _:
                log.debug("control.unknown_event", extra={"child": slot.spec.slot})

    def _close_control(self, process: ChildProcess) -> None:
        if process.control is not None:
            asyncio.get_running_loop().remove_reader(process.control.fileno())
            process.hang_up()

    def _on_exit(self, slot: _Slot, process: ChildProcess) -> None:
        asyncio.get_running_loop().remove_reader(process.pidfd)
        # Its last words say why it ended. Not until the end of file: a process that it left behind may hold the socket.
        while messages := process.receive():
            for message in messages:
                self._on_message(slot, message)
        self._close_control(process)
        code = process.finish()
        slot.process = None
        slot.last_exit = describe(code)
        slot.recovering = True
        task = asyncio.create_task(self._after_exit(slot, code, slot.incarnation))
        self._recoveries.add(task)
        task.add_done_callback(self._recoveries.discard)

    async def _after_exit(self, slot: _Slot, code: int, incarnation: str) -> None:
        if slot.spec.actor.control:
            recovery = asyncio.create_task(self._sweep.recover_dead(incarnation))
            self._recoveries.add(recovery)
            recovery.add_done_callback(self._recoveries.discard)
            # Not cancelled when the time is up: half a recovery helps nobody.
            await asyncio.wait((recovery,), timeout=_RECOVER_WAIT_S)
        slot.recovering = False
        self._happens(slot, Exited(code, self._roll()))


def read_beat(message: Mapping[str, Any]) -> Beat:
    """Read a beat as an actor sends it; what is missing or of another type counts as nothing wrong.

    Args:
        message: The message, decoded.
    """
    lanes = message.get("lanes")
    return Beat(
        lanes=tuple(
            Lane(str(lane.get("state", "")), _whole(lane.get("for_ms")), _whole(lane.get("overdue_ms")))
            for lane in (lanes if isinstance(lanes, list) else ())
            if isinstance(lane, dict)
        ),
        store_up=message.get("store_up") is not False,
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _since(time_mono: float) -> float:
    return round(time.monotonic() - time_mono, 3)


def _report(slot: _Slot, report: Report) -> None:
    extra: dict[str, object] = {"child": slot.spec.slot, "incarnation": slot.incarnation}
    if report.reason:
        extra["reason"] = report.reason
    if report.pause_s is not None:
        extra["starts_in_s"] = round(report.pause_s, 3)
    log.log(logging.getLevelNamesMapping()[report.level.upper()], report.what, extra=extra)


def _view(slot: _Slot, now: float) -> ChildView:
    child = slot.child
    waiting = child.phase is Phase.WAITING and child.due is not None
    return ChildView(
        slot=slot.spec.slot,
        script_type=slot.spec.actor.script_type,
        phase=child.phase,
        pid=slot.process.pid if slot.process else None,
        incarnation=slot.incarnation,
        restarts=max(0, slot.starts - 1),
        held=child.held,
        starts_in_s=max(0.0, (child.due or 0.0) - now) if waiting else None,
        last_exit=slot.last_exit,
        for_s=now - child.since,
        busy=slot.busy,
        jobs=slot.jobs,
        rss_bytes=slot.rss_bytes,
    )
