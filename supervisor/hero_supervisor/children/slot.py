"""One slot with its process: what happens to it goes to the policy, and what the policy answers is done.

Owned here: everything that touches one process: its start, exit by pidfd, words on the control socket, timers, and the
recovery of its jobs before the policy hears of its end. Used by `supervise.py` and `rolling.py` on the supervisor's
loop, in the main thread. Invariant: a slot has one process at most, and nothing here waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from hero_supervisor.children.child import ChildProcess
from hero_supervisor.children.child_log import ActorLogs
from hero_supervisor.children.exits import describe
from hero_supervisor.children.policy import Child, Phase, decide, next_due
from hero_supervisor.children.policy_events import (
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
    Start,
    Terminate,
    Tick,
)
from hero_supervisor.children.spec import ChildSpec
from hero_supervisor.errors import LaunchRefused
from hero_supervisor.upkeep.recovery import Sweep

log = logging.getLogger(__name__)

#: How long a restart waits for the jobs of the dead to be handed back. With the store away they follow later.
RECOVER_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildView:
    """One slot, as others see it.

    Attributes:
        slot: Its name: `osis-1`.
        entry: Name of the `[[actors]]` entry that it belongs to.
        script_type: Script type it serves.
        phase: Where it is in its life.
        role: `owner`, or what it is in a rolling restart: the `successor` that comes up, or `retiring`.
        pid: Process id; None without a process.
        incarnation: Its name in Redis at the last start; empty before the first.
        restarts: Starts after the first.
        held: It restarted too often and is tried at the longest pause only.
        holds: How often it was held.
        starts_in_s: Seconds until the next start; None when none is due.
        waits_for: Slots that must be ready, or gone, before it starts.
        last_exit: How the last process ended, in words; empty before.
        for_s: Seconds since the phase last changed.
        lanes: Lanes that it has said it has.
        busy: Lanes that run a job.
        jobs: Jobs that this process has run.
        rss_bytes: Its resident memory, as it last said.
        unavailable: Why its engine can run nothing, and what to do; empty when it can.
    """

    slot: str
    entry: str
    script_type: str
    phase: Phase
    role: str
    pid: int | None
    incarnation: str
    restarts: int
    held: bool
    holds: int
    starts_in_s: float | None
    waits_for: tuple[str, ...]
    last_exit: str
    for_s: float
    lanes: int
    busy: int
    jobs: int
    rss_bytes: int
    unavailable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all slots of a supervisor share.

    Attributes:
        sweep: Hands back the jobs of a process that has ended.
        roll: Gives chances in [0, 1).
        environ: The environment that processes inherit.
        host: Name of this machine, as it stands in incarnations.
        changed: Called after every event of a slot; says whether its phase is another now.
        crashed: Called when a process ended that should not have, before it is started again.
        ended: Called after every end of a process.
        tell: Called with what others may want to know: event, slot, script type, incarnation, reason.
        logs: What the processes write.
        recoveries: What is under way for processes that have ended.
    """

    sweep: Sweep
    roll: Callable[[], float]
    environ: Mapping[str, str]
    host: str
    changed: Callable[[bool], None]
    crashed: Callable[[Slot], None]
    ended: Callable[[], None] = lambda: None
    tell: Callable[[str, str, str, str, str], None] = lambda *_: None
    logs: ActorLogs = field(default_factory=ActorLogs)
    recoveries: set[asyncio.Task[None]] = field(default_factory=set)


class Slot:
    """One process that should run, and where it is in its life.

    Args:
        spec: What it runs.
        surroundings: Shared by all.
        starts: How often this slot has been started before.
        holds: How often it has been held before.

    Attributes:
        spec: What it runs.
        child: Its state, which the policy alone changes.
        set_aside: It was stopped by somebody and stays so until it is started.
        fresh: Its next start is one in the order of all, so it waits for those before it.
        waits_for: For whom it waits now: it does not start by itself while there is any.
        outlasts: Slots that must have stopped before it starts.
        unavailable: Why the engine of its process can run nothing; empty when it can.
    """

    def __init__(self, spec: ChildSpec, surroundings: Surroundings, *, starts: int = 0, holds: int = 0) -> None:
        self.spec = spec
        self.child = Child(limits=spec.actor.limits, control=spec.actor.control)
        self.set_aside = False
        self.fresh = True
        self.waits_for: tuple[str, ...] = ()
        self.outlasts: tuple[Slot, ...] = ()
        self.starts = starts
        self.holds = holds
        self.unavailable = ""
        self._around = surroundings
        self._process: ChildProcess | None = None
        self._incarnation = ""
        self._last_exit = ""
        self._lanes = self._busy = self._jobs = self._rss_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        # The process has ended and its jobs are being handed back; the policy hears of its end after that.
        self._recovering = False

    @property
    def name(self) -> str:
        """Its name: `osis-1`."""
        return self.spec.slot

    @property
    def up(self) -> bool:
        """Whether those that are to start after it may start."""
        if self.child.phase in (Phase.RUNNING, Phase.DRAINING):
            return self._process is not None and self.child.ready is not None
        return self.child.phase in (Phase.ENDED, Phase.STOPPED)

    def respec(self, spec: ChildSpec) -> None:
        """Take another spec for the same process: other limits, another place in the order."""
        self.spec = spec
        self.child = replace(self.child, limits=spec.actor.limits)

    def view(self, role: str = "owner") -> ChildView:
        """Show it as it is now."""
        child, now = self.child, time.monotonic()
        waiting = child.phase is Phase.WAITING and child.due is not None and not self.waits_for
        return ChildView(
            slot=self.name,
            entry=self.spec.actor.name,
            script_type=self.spec.actor.script_type,
            phase=child.phase,
            role=role,
            pid=self._process.pid if self._process else None,
            incarnation=self._incarnation,
            restarts=max(0, self.starts - 1),
            held=child.held,
            holds=self.holds,
            starts_in_s=max(0.0, (child.due or 0.0) - now) if waiting else None,
            waits_for=self.waits_for,
            last_exit=self._last_exit,
            for_s=now - child.since,
            lanes=self._lanes,
            busy=self._busy,
            jobs=self._jobs,
            rss_bytes=self._rss_bytes,
            unavailable=self.unavailable,
        )

    # Events in, actions out

    def happens(self, event: Event) -> None:
        """Take an event, and do what follows from it."""
        if isinstance(event, Tick) and (self._recovering or (self.child.phase is Phase.WAITING and self.waits_for)):
            return  # it has no process to be judged, and is not to be started yet
        if self._recovering and isinstance(event, Start):
            return  # as above; it starts by itself when its jobs are handed back
        before = self.child
        self.child, actions = decide(before, event, time.monotonic())
        for action in actions:
            self._act(action)
        if self.child.held and not before.held:
            self.holds += 1
        if self.child.failures > before.failures:
            self._around.crashed(self)
        self._set_timer()
        self._around.changed(self.child.phase is not before.phase)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (due := next_due(self.child)) is not None:
            pause_s = max(0.0, due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(pause_s, self.happens, Tick())

    def _act(self, action: Action) -> None:
        process = self._process
        match action:
            case Spawn():
                self._spawn()
            case Drain():
                if process is not None:
                    self._drain(process)
            case Terminate():
                if process is not None:
                    process.signal(signal.SIGINT if self.spec.actor.control else signal.SIGTERM)
            case Kill(reason):
                log.error("child.killed", extra={"child": self.name, "reason": reason})
                self._tell("killed", reason)
                if process is not None:
                    process.kill_group()
            case Report():
                self._report(action)
            case _:
                assert_never(action)

    def _drain(self, process: ChildProcess) -> None:
        if not self.spec.actor.control:
            process.signal(signal.SIGTERM)
            return
        process.send({"command": "drain"})
        # Its first INT drains too, and makes that of `Terminate` the second, which ends it now. Two at once would not
        # do: signals of one number that wait are one. Before it is ready it may not have its own way with INT yet.
        if self.child.ready is not None:
            process.signal(signal.SIGINT)

    def _spawn(self) -> None:
        loop = asyncio.get_running_loop()
        around = self._around
        incarnation = f"{self.name}.{around.host}.{os.getpid()}-{self.starts}.{secrets.token_hex(4)}"
        self.fresh = False
        try:
            process = ChildProcess.spawn(self.spec, incarnation, around.environ)
        except LaunchRefused as e:
            loop.call_soon(self.happens, Exited(None, around.roll(), str(e)))
            return
        except OSError as e:
            log.error("child.not_started", extra={"child": self.name, "reason": str(e)})
            loop.call_soon(self.happens, Exited(None, around.roll()))
            return
        self._process = process
        self._incarnation = incarnation
        self.starts += 1
        self._lanes = self._busy = self._jobs = self._rss_bytes = 0
        self.unavailable = ""
        loop.add_reader(process.pidfd, self._on_exit, process)
        around.logs.follow(self.name, incarnation, process.pid, process.output_fd)
        if process.control is not None:
            loop.add_reader(process.control.fileno(), self._on_control, process)
        log.info("child.started", extra={"child": self.name, "child_pid": process.pid, "incarnation": incarnation})
        self._tell("started" if self.starts == 1 else "restarted")

    def _on_control(self, process: ChildProcess) -> None:
        messages = process.receive()
        if messages is None:
            # It has closed its end: it is about to exit, or has lost its mind and will be missed for its beats.
            self._close_control(process)
            return
        for message in messages:
            self._on_message(message)

    def _on_message(self, message: Mapping[str, Any]) -> None:
        match message.get("event"):
            case "ready":
                first = self.child.ready is None
                self._lanes = _whole(message.get("lanes"))
                self.unavailable = str(message.get("unavailable") or "")
                self.happens(Ready())
                if first and self.unavailable:
                    log.error("child.unavailable", extra={"child": self.name, "reason": self.unavailable})
                    self._tell("unavailable", self.unavailable)
                elif first:
                    extra = {"child": self.name, "incarnation": self._incarnation}
                    log.info("child.ready", extra={**extra, "after_s": _since(self.child.started)})
                    self._tell("ready")
            case "beat":
                beat = read_beat(message)
                self._busy = sum(lane.state == "running" for lane in beat.lanes)
                self._jobs = _whole(message.get("jobs"))
                self._rss_bytes = _whole(message.get("rss_bytes"))
                self.happens(beat)
            case "draining":
                self.happens(Draining(str(message.get("reason", ""))))
            case _:
                log.debug("control.unknown_event", extra={"child": self.name})

    def _close_control(self, process: ChildProcess) -> None:
        if process.control is not None:
            asyncio.get_running_loop().remove_reader(process.control.fileno())
            process.hang_up()

    def _on_exit(self, process: ChildProcess) -> None:
        asyncio.get_running_loop().remove_reader(process.pidfd)
        # Its last words say why it ended. Not until the end of file: a process that it left behind may hold the socket.
        while messages := process.receive():
            for message in messages:
                self._on_message(message)
        self._close_control(process)
        around = self._around
        around.logs.catch_up(self._incarnation)
        code = process.finish()
        self._process = None
        self._last_exit = describe(code)
        self._recovering = True
        around.ended()
        self._keep(asyncio.create_task(self._after_exit(code, self._incarnation)))

    async def _after_exit(self, code: int, incarnation: str) -> None:
        if self.spec.actor.control:
            recovery = asyncio.create_task(self._around.sweep.recover_dead(incarnation))
            self._keep(recovery)
            # Not cancelled when the time is up: half a recovery helps nobody.
            await asyncio.wait((recovery,), timeout=RECOVER_WAIT_S)
        self._recovering = False
        self.happens(Exited(code, self._around.roll()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._around.recoveries.add(task)
        task.add_done_callback(self._around.recoveries.discard)

    def _tell(self, event: str, reason: str = "") -> None:
        self._around.tell(event, self.name, self.spec.actor.script_type, self._incarnation, reason)

    def _report(self, report: Report) -> None:
        self._tell(report.what.removeprefix("child."), report.reason)
        extra: dict[str, object] = {"child": self.name, "incarnation": self._incarnation}
        if report.reason:
            extra["reason"] = report.reason
        if report.pause_s is not None:
            extra["starts_in_s"] = round(report.pause_s, 3)
        log.log(logging.getLevelNamesMapping()[report.level.upper()], report.what, extra=extra)


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
