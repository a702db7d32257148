"""The methods on actor processes: those of all machines to look at, those of this supervisor to act on.

Invariant: each supervisor acts on its own children only; what is somebody else's is answered with its host. Names are
those of the config (``sal``: all of an entry), of a slot (``sal-1``), or of an incarnation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_supervisor.children.child_view import ChildView
from hero_supervisor.errors import (
    ActorElsewhere,
    ActorUnknown,
    FleetError,
    NotSupervised,
    ReloadRefused,
    RollStopped,
    ScaleRefused,
)
from hero_supervisor.fleet import fleet as fleets
from hero_supervisor.fleet.fleet import Fleet, FleetChanges
from hero_supervisor.process.child_log import ActorLine
from hero_supervisor.rpc.methods import shapes
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

T = TypeVar("T")

_STORE: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
_NAMED: Final = (ErrorCode.NOT_SUPERVISED, ErrorCode.ACTOR_NOT_FOUND, ErrorCode.ACTOR_ELSEWHERE, *_STORE)

_Name: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200, description="An entry (all of its processes), a slot, or an incarnation.")
]
_Wait: TypeAlias = Annotated[bool, Field(description="Answer when all is done, not when it has begun.")]


class SlotView(TypedDict):
    """A process that this supervisor keeps running. ``role`` is "owner", or what it is in a rolling restart."""

    slot: str
    entry: str
    phase: str
    role: str
    pid: int | None
    incarnation: str
    restarts: int
    held: bool
    holds: int
    starts_in_s: float | None
    waits_for: list[str]
    last_exit: str
    for_s: float
    busy: int
    jobs: int
    rss_bytes: int
    unavailable: str | None


class ListedActor(shapes.ActorView):
    """An actor, and under ``supervised`` what its supervisor knows of it, when that is the one asked."""

    supervised: SlotView | None


class ScalingView(TypedDict):
    """What is known of the load of an entry that scales by itself: expected wait, use of lanes, the last change."""

    wait_s: float
    use: float
    reason: str


class ActorEntryView(TypedDict):
    """An entry of the config: how many processes it has now, may have, and which they are. ``max`` 0: as asked."""

    name: str
    script_type: str
    group: str | None
    count: int
    min: int
    max: int
    restart: str
    strategy: str
    scaling: ScalingView | None
    slots: list[SlotView]


class ActorLineView(TypedDict):
    """One line that a process of a slot has written; ``number`` counts those of the slot."""

    number: int
    at: str
    incarnation: str
    level: str
    text: str


class ActorLog(TypedDict):
    """The newest lines of a slot, the oldest first, and the number to go on from."""

    lines: list[ActorLineView]
    cursor: int


class Rolled(TypedDict):
    """The slots that have a new process; ``done`` is false when that was not waited for."""

    done: bool
    replaced: list[str]


class Reloaded(TypedDict):
    """What another config has changed, by entry, and what differs that counts only after a restart of the service."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    scaled: list[str]
    needs_restart: list[str]
    rolled: Rolled


class ActorMethods:
    """What is offered over JSON-RPC on actor processes.

    Args:
        supervisor: Where actors of all machines are seen.
        fleet: Those of this supervisor; None when it has none.
    """

    def __init__(self, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
        self._supervisor = supervisor
        self._fleet = fleet

    async def list_actors(self) -> list[ListedActor]:
        """Return every actor process that has joined, on any machine, and this supervisor's own that have not.

        One that waits for its start, is held, or cannot start, has no beat and says why under ``supervised``.
        """
        present = await self._supervisor.list_actors()
        ours = {child.incarnation or child.slot: child for child in (self._fleet.children() if self._fleet else ())}
        listed: list[ListedActor] = []
        for actor in present:
            child = ours.pop(actor.incarnation, None)
            listed.append({**shapes.actor_view(actor), "supervised": None if child is None else slot_view(child)})
        return listed + [absent_view(child) for child in ours.values()]

    async def get_actor(self, name: _Name) -> ActorEntryView:
        """Return an entry of this supervisor with its processes, or with the one that was named."""
        return await self._act(name, lambda fleet: entry_view(fleet.look(name)))

    async def get_actor_logs(
        self,
        name: _Name,
        after: Annotated[int, Field(ge=0, description="As the last call gave it; 0 for all there is.")] = 0,
        count: Annotated[int, Field(ge=1, le=10_000)] = 100,
    ) -> ActorLog:
        """Return what the processes of a slot have written last, those that have ended too.

        An entry can be named when it has one process. Some hundred lines are kept, as long as the supervisor runs.
        """
        return log_view(await self._act(name, lambda fleet: fleet.logs(name, after=after, count=count)), after)

    async def start_actor(self, name: _Name) -> ActorEntryView:
        """Start what was stopped, has ended, cannot start or pauses before a restart; what runs goes on."""
        return await self._act(name, lambda fleet: entry_view(fleet.start(name)))

    async def stop_actor(self, name: _Name) -> ActorEntryView:
        """Stop a process, or all of an entry, until start_actor; running jobs get their time, then are handed back."""
        return await self._act(name, lambda fleet: entry_view(fleet.stop(name)))

    async def restart_actor(self, name: _Name, wait: _Wait = True) -> Rolled:
        """Replace a process, those of an entry, or ("*") all, one at a time; no job is lost or run twice for it.

        The new one comes up first, then the old one drains; where that would break the order of a queue it is the other
        way round. When a new one does not become ready, the rest is left as it is.
        """
        rolling = await self._act(name, lambda fleet: fleet.restart(name))
        return await _rolled(rolling, wait=wait)

    async def scale_actors(
        self, name: _Name, count: Annotated[int, Field(ge=0, le=fleets.MAX_COUNT)]
    ) -> ActorEntryView:
        """Have so many processes of an entry, until the config says something else; those too many drain."""
        return await self._act(name, lambda fleet: entry_view(fleet.scale(name, count)))

    async def reload(self, wait: _Wait = False) -> Reloaded:
        """Load the config again: take what can change, replace the processes that it changes, name the rest."""
        if self._fleet is None:
            raise not_supervised()
        try:
            changes = self._fleet.reload()
        except FleetError as e:
            raise from_fleet_error(e) from e
        return reloaded_view(changes, await _rolled(self._fleet.rolled(), wait=wait))

    async def _act(self, name: str, act: Callable[[Fleet], T]) -> T:
        if self._fleet is None or not self._fleet.entries:
            raise not_supervised()
        try:
            return act(self._fleet)
        except ActorUnknown as e:
            error: FleetError = e
        except FleetError as e:
            raise from_fleet_error(e) from e
        for actor in await self._supervisor.list_actors():
            if name in (actor.name, actor.incarnation):
                error = ActorElsewhere(name, actor.host)
        raise from_fleet_error(error)


async def _rolled(rolling: fleets.RollFuture, *, wait: bool) -> Rolled:
    if not wait:
        return {"done": rolling.done(), "replaced": []}
    try:
        return {"done": True, "replaced": list(await fleets.rolled(rolling))}
    except RollStopped as e:
        raise from_fleet_error(e) from e


def slot_view(child: ChildView) -> SlotView:
    """Show a slot."""
    return {
        "slot": child.slot,
        "entry": child.entry,
        "phase": child.phase.value,
        "role": child.role,
        "pid": child.pid,
        "incarnation": child.incarnation,
        "restarts": child.restarts,
        "held": child.held,
        "holds": child.holds,
        "starts_in_s": None if child.starts_in_s is None else round(child.starts_in_s, 3),
        "waits_for": list(child.waits_for),
        "last_exit": child.last_exit,
        "for_s": round(child.for_s, 3),
        "busy": child.busy,
        "jobs": child.jobs,
        "rss_bytes": child.rss_bytes,
        "unavailable": child.unavailable or None,
    }


def log_view(lines: Sequence[ActorLine], after: int) -> ActorLog:
    """Show lines of a slot that were read after a number."""
    return {
        "lines": [
            {
                "number": line.number,
                "at": line.at,
                "incarnation": line.incarnation,
                "level": line.level,
                "text": line.text,
            }
            for line in lines
        ],
        "cursor": lines[-1].number if lines else after,
    }


def absent_view(child: ChildView) -> ListedActor:
    """Show a slot that is in no registry: it does not run, or has not come up, or does not speak to the store."""
    return {
        "incarnation": child.incarnation,
        "name": child.slot,
        "script_type": child.script_type,
        "host": fleets.node_name(),
        "pid": child.pid,
        "lanes": child.lanes,
        "busy": child.busy,
        "jobs": child.jobs,
        "engine": "",
        "engine_version": "",
        "group": None,
        "instance": None,
        "started_at": None,
        "beat_at": None,
        "unavailable": None,
        "supervised": slot_view(child),
    }


def entry_view(entry: fleets.EntryView) -> ActorEntryView:
    """Show an entry."""
    spec, scaling = entry.spec, entry.scaling
    return {
        "name": spec.name,
        "script_type": spec.script_type,
        "group": spec.group or None,
        "count": spec.count,
        "min": spec.scale_min,
        "max": spec.scale_max,
        "restart": spec.limits.restart.value,
        "strategy": spec.strategy.value,
        "scaling": None
        if scaling is None
        else {"wait_s": round(scaling.wait_s, 3), "use": round(scaling.use, 3), "reason": scaling.reason},
        "slots": [slot_view(child) for child in entry.slots],
    }


def reloaded_view(changes: FleetChanges, rolled: Rolled) -> Reloaded:
    """Show what a reload has done."""
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "changed": list(changes.changed),
        "scaled": list(changes.scaled),
        "needs_restart": list(changes.needs_restart),
        "rolled": rolled,
    }


def not_supervised() -> RpcError:
    """Build the error of a server that keeps no actors."""
    return from_fleet_error(NotSupervised())


def from_fleet_error(error: FleetError) -> RpcError:
    """Translate what an operator is told."""
    text = str(error)
    match error:
        case ActorUnknown():
            hint = "list_actors shows those of all machines"
            return RpcError(
                ErrorCode.ACTOR_NOT_FOUND, text, kind="actor_not_found", hint=hint, name=error.name, known=error.known
            )
        case ActorElsewhere():
            hint = "each supervisor acts on its own children: ask the one on that host, or stop the process there"
            return RpcError(
                ErrorCode.ACTOR_ELSEWHERE, text, kind="actor_elsewhere", hint=hint, name=error.name, host=error.host
            )
        case ScaleRefused():
            hint = "get_actor tells the limits of an entry; min and max in the config set them"
            return RpcError(
                ErrorCode.SCALE_REFUSED, text, kind="scale_refused", hint=hint, name=error.name, reason=error.reason
            )
        case RollStopped():
            hint = "the log says why it did not start; what was not replaced goes on as before"
            data = {"slot": error.slot, "reason": error.reason, "kept": error.kept, "replaced": error.replaced}
            return RpcError(ErrorCode.ROLL_STOPPED, text, kind="roll_stopped", hint=hint, **data)
        case ReloadRefused():
            hint = "correct the file and reload again; `hero-supervisor config check` tells the same"
            return RpcError(
                ErrorCode.RELOAD_REFUSED, text, kind="reload_refused", hint=hint, problems=list(error.problems)
            )
        case _:
            hint = "start hero-supervisor with [[actors]] in its config, or ask the server that has"
            return RpcError(ErrorCode.NOT_SUPERVISED, text, kind="not_supervised", hint=hint)


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
    """Offer the methods on actor processes."""
    methods = ActorMethods(supervisor, fleet)
    add = dispatcher.register
    add("list_actors", methods.list_actors, error_codes=_STORE)
    add("get_actor", methods.get_actor, error_codes=_NAMED)
    add("get_actor_logs", methods.get_actor_logs, error_codes=_NAMED)
    add("start_actor", methods.start_actor, error_codes=_NAMED)
    add("stop_actor", methods.stop_actor, error_codes=_NAMED)
    add("restart_actor", methods.restart_actor, error_codes=(ErrorCode.ROLL_STOPPED, *_NAMED))
    add("scale_actors", methods.scale_actors, error_codes=(ErrorCode.SCALE_REFUSED, *_NAMED))
    reload_codes = (ErrorCode.NOT_SUPERVISED, ErrorCode.RELOAD_REFUSED, ErrorCode.ROLL_STOPPED)
    add("reload", methods.reload, error_codes=reload_codes)
