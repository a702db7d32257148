"""Runs the process of one slot: passes every event to the policy, and carries out the actions that it answers with.

Owned here: everything that touches the process: its start, its end (noticed by pidfd), the messages on its control
socket, its timers, and the recovery of its jobs, which comes before the policy hears of the end. `supervise.py` and
`rolling.py` call this on the supervisor's loop, in the main thread. Invariant: a slot has at most one process, and
nothing here waits for it.
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

from hero_process.defects import log_failure
from hero_process.exit_codes import ProcessExit, describe
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.control_messages import ActorReport, read_heartbeat, whole
from hero_supervisor.errors import LaunchRefused
from hero_supervisor.policy.child_state import ChildState, Phase
from hero_supervisor.policy.decide import decide, next_due
from hero_supervisor.policy.events import (
    Action,
    AskToDrain,
    Draining,
    Event,
    Exited,
    Kill,
    Ready,
    Report,
    Spawn,
    Start,
    Terminate,
    Tick,
)
from hero_supervisor.process.child_log import ActorLogs
from hero_supervisor.process.child_process import ChildProcess
from hero_supervisor.process.fork_server import ForkServer
from hero_supervisor.process.spec import ChildSpec
from hero_supervisor.upkeep.actor_events import SlotEvent
from hero_supervisor.upkeep.recovery import JobRecovery

log = logging.getLogger(__name__)

#: How long a restart waits until the jobs of the dead process are handed back, in seconds. When the store is away, they
#: are handed back later.
RECOVER_WAIT_S = 1.0
#: How a process ends that is told to, as an exit code.
_STOP_SIGNALS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotContext:
    """What all slots of a supervisor share.

    Attributes:
        recovery: Hands back the jobs of a process that has ended.
        roll: Gives chances in [0, 1).
        environ: The environment that processes inherit.
        host: Name of this machine, as it stands in incarnations.
        on_event: Called after every event of a slot, with whether its phase has changed.
        on_crash: Called when a process has ended unexpectedly, before it is started again.
        on_exit: Called after every end of a process.
        tell: Called with each event that other programs may follow.
        fork_server: Starts many actors faster; None where that is not possible.
        logs: Reads what the processes print.
        recoveries: The recoveries that are under way.
    """

    recovery: JobRecovery
    roll: Callable[[], float]
    environ: Mapping[str, str]
    host: str
    on_event: Callable[[bool], None]
    on_crash: Callable[[Slot], None]
    on_exit: Callable[[], None] = lambda: None
    tell: Callable[[SlotEvent], None] = lambda _: None
    fork_server: ForkServer | None = None
    logs: ActorLogs = field(default_factory=ActorLogs)
    recoveries: set[asyncio.Task[None]] = field(default_factory=set)


class Slot:
    """One process that should run, and where it is in its life.

    Args:
        spec: What it runs.
        context: Shared by all slots.
        starts: How often this slot has been started before.
        holds: How often this slot has been held before.

    Attributes:
        spec: What it runs.
        child: Its state. Only the policy changes it.
        set_aside: An operator stopped it, and it stays stopped until it is started.
        fresh: Its next start follows the start order, so it waits for the slots before it.
        waits_for: The slots that it waits for now. It does not start while there are any.
        outlasts: Slots that must have stopped before it starts.
    """

    def __init__(self, spec: ChildSpec, context: SlotContext, *, starts: int = 0, holds: int = 0) -> None:
        self.spec = spec
        self.child = ChildState(limits=spec.actor.limits, control=spec.actor.control)
        self.set_aside = False
        self.fresh = True
        self.waits_for: tuple[str, ...] = ()
        self.outlasts: tuple[Slot, ...] = ()
        self.starts = starts
        self.holds = holds
        self._context = context
        self._process: ChildProcess | None = None
        self._incarnation = ""
        self._last_exit = ""
        self._reported = ActorReport()
        self._timer: asyncio.TimerHandle | None = None
        # The process has ended and its jobs are being handed back. The policy hears of the end after that.
        self._recovering = False

    @property
    def name(self) -> str:
        """Its name: `osis-1`."""
        return self.spec.slot

    @property
    def up(self) -> bool:
        """Whether the slots that start after it may start."""
        if self.child.phase in (Phase.RUNNING, Phase.DRAINING):
            return self._process is not None and self.child.ready is not None
        return self.child.phase in (Phase.ENDED, Phase.STOPPED)

    @property
    def process(self) -> tuple[int, str] | None:
        """Its process id and incarnation; None without a process."""
        return None if self._process is None else (self._process.pid, self._incarnation)

    @property
    def unavailable(self) -> str:
        """Why the engine of its process can run nothing; empty when it can."""
        return self._reported.unavailable

    def respec(self, spec: ChildSpec) -> None:
        """Take a spec that needs no new process: other limits, another place in the order."""
        self.spec = spec
        self.child = replace(self.child, limits=spec.actor.limits)

    def view(self, role: str = "owner") -> ChildView:
        """Show it as it is now."""
        child, reported, now = self.child, self._reported, time.monotonic()
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
            lanes=reported.lanes,
            busy=reported.busy,
            jobs=reported.jobs,
            rss_bytes=reported.rss_bytes,
            unavailable=reported.unavailable,
        )

    # Events in, actions out

    def happens(self, event: Event) -> None:
        """Take an event, and carry out what follows from it."""
        if isinstance(event, Tick) and (self._recovering or (self.child.phase is Phase.WAITING and self.waits_for)):
            return  # there is no process to judge, and none to start yet
        if self._recovering and isinstance(event, Start):
            return  # it starts by itself when its jobs are handed back
        before = self.child
        self.child, actions = decide(before, event, time.monotonic())
        for action in actions:
            self._act(action)
        if self.child.held and not before.held:
            self.holds += 1
        if self.child.failures > before.failures:
            self._context.on_crash(self)
        self._set_timer()
        self._context.on_event(self.child.phase is not before.phase)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (due := next_due(self.child)) is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - time.monotonic()), self.happens, Tick())

    def _act(self, action: Action) -> None:
        process = self._process
        match action:
            case Spawn():
                self._spawn()
            case AskToDrain():
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
        # The first INT drains too. It makes the INT of `Terminate` the second one, which ends the actor immediately.
        # Sending both then would not do: pending signals of one number merge. Before the actor is ready, it may not
        # have installed its handler of INT yet.
        if self.child.ready is not None:
            process.signal(signal.SIGINT)

    def _spawn(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._context
        incarnation = f"{self.name}.{context.host}.{os.getpid()}-{self.starts}.{secrets.token_hex(4)}"
        self.fresh = False
        try:
            process = ChildProcess.spawn(self.spec, incarnation, context.environ, context.fork_server)
        except LaunchRefused as e:
            loop.call_soon(self.happens, Exited(None, context.roll(), str(e)))
            return
        except OSError as e:
            self._not_started(e)
            return
        try:
            self._watch(process, incarnation)
        except OSError as e:
            # The kernel watches no more descriptors. Nobody would notice the end of the process, so it must not run.
            process.kill_group()
            process.finish()
            context.logs.drop(incarnation)
            self._not_started(e)
            return
        self._process = process
        self._incarnation = incarnation
        self.starts += 1
        self._reported = ActorReport()
        log.info("child.started", extra={"child": self.name, "child_pid": process.pid, "incarnation": incarnation})
        self._tell("started" if self.starts == 1 else "restarted")

    def _watch(self, process: ChildProcess, incarnation: str) -> None:
        """Have the loop watch the process. If it watches one descriptor of it, it watches all of them.

        Raises:
            OSError: The kernel watches no more descriptors.
        """
        loop = asyncio.get_running_loop()
        watched: list[int] = []
        try:
            self._context.logs.follow(self.name, incarnation, process.pid, process.output_fd)
            loop.add_reader(process.pidfd, self._on_exit, process)
            watched.append(process.pidfd)
            if process.control is not None:
                loop.add_reader(process.control.fileno(), self._on_control, process)
        except OSError:
            for fd in watched:
                loop.remove_reader(fd)
            raise

    def _not_started(self, error: OSError) -> None:
        log.error("child.not_started", extra={"child": self.name, "reason": str(error)})
        asyncio.get_running_loop().call_soon(self.happens, Exited(None, self._context.roll()))

    # Messages of the process

    def _on_control(self, process: ChildProcess) -> None:
        messages = process.receive()
        if messages is None:
            # It has closed its end. It is about to exit, or it is broken and its missing heartbeats will show it.
            self._close_control(process)
            return
        for message in messages:
            try:
                self._on_message(message)
            except Exception as e:  # noqa: BLE001 - logged
                log_failure(log, "child.message_lost", e, child=self.name, incarnation=self._incarnation)

    def _on_message(self, message: Mapping[str, Any]) -> None:
        match message.get("event"):
            case "ready":
                self._on_ready(message)
            case "beat":
                heartbeat = read_heartbeat(message)
                self._reported = self._reported.updated(
                    busy=sum(lane.state == "running" for lane in heartbeat.lanes),
                    jobs=whole(message.get("jobs")),
                    rss_bytes=whole(message.get("rss_bytes")),
                )
                self.happens(heartbeat)
            case "draining":
                self.happens(Draining(str(message.get("reason", ""))))
            case _:
                log.debug("control.unknown_event", extra={"child": self.name})

    def _on_ready(self, message: Mapping[str, Any]) -> None:
        first = self.child.ready is None
        unavailable = str(message.get("unavailable") or "")
        self._reported = replace(self._reported, lanes=whole(message.get("lanes")), unavailable=unavailable)
        self.happens(Ready())
        if not first:
            return
        if unavailable:
            log.error("child.unavailable", extra={"child": self.name, "reason": unavailable})
            self._tell("unavailable", unavailable)
        else:
            after_s = round(time.monotonic() - self.child.started, 3)
            extra = {"child": self.name, "incarnation": self._incarnation, "after_s": after_s}
            log.info("child.ready", extra=extra)
            self._tell("ready")

    def _close_control(self, process: ChildProcess) -> None:
        if process.control is not None:
            asyncio.get_running_loop().remove_reader(process.control.fileno())
            process.hang_up()

    # The end of the process

    def _on_exit(self, process: ChildProcess) -> None:
        asyncio.get_running_loop().remove_reader(process.pidfd)
        # Its last messages say why it ended. Reading stops when nothing is there, not at the end of file: a process
        # that it left behind may hold the socket open.
        # Its exit is taken no matter what it said last: otherwise the slot would keep a zombie for ever.
        try:
            while messages := process.receive():
                for message in messages:
                    self._on_message(message)
            self._context.logs.catch_up(self._incarnation)
        except Exception as e:  # noqa: BLE001 - logged
            log_failure(log, "child.last_words_lost", e, child=self.name, incarnation=self._incarnation)
        self._close_control(process)
        code = process.finish()
        self._process = None
        self._last_exit = describe(code)
        self._recovering = True
        self._context.on_exit()
        self._keep(asyncio.create_task(self._after_exit(code, self._incarnation)))

    async def _after_exit(self, code: int, incarnation: str) -> None:
        if self.spec.actor.control:
            # What kills itself while it is being stopped has crashed all the same.
            stopped = self.child.stopping and code in (*_STOP_SIGNALS, *ProcessExit)
            end = f"was killed: {self.child.kill_reason}" if self.child.kill_reason else f"ended: {describe(code)}"
            reason = "its actor was stopped" if stopped else f"its actor {end}"
            recovery = asyncio.create_task(self._context.recovery.recover_dead(incarnation, reason, stopped=stopped))
            self._keep(recovery)
            # It is not cancelled when the time is up: it goes on beside the restart.
            await asyncio.wait((recovery,), timeout=RECOVER_WAIT_S)
        self._recovering = False
        self.happens(Exited(code, self._context.roll()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._context.recoveries.add(task)
        task.add_done_callback(self._context.recoveries.discard)

    # Reports

    def _tell(self, event: str, reason: str = "") -> None:
        self._context.tell(
            SlotEvent(
                event=event,
                slot=self.name,
                script_type=self.spec.actor.script_type,
                incarnation=self._incarnation,
                reason=reason,
            )
        )

    def _report(self, report: Report) -> None:
        self._tell(report.what.removeprefix("child."), report.reason)
        extra: dict[str, object] = {"child": self.name, "incarnation": self._incarnation}
        if report.reason:
            extra["reason"] = report.reason
        if report.pause_s is not None:
            extra["starts_in_s"] = round(report.pause_s, 3)
        log.log(logging.getLevelNamesMapping()[report.level.upper()], report.what, extra=extra)
