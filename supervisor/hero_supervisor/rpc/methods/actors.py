"""The methods on actor processes: reading those of all hosts, and controlling those of this supervisor.

Invariant: a supervisor controls only its own children; for an actor of another supervisor the error has its host. A
name is that of a config entry (``sal``: all of its processes), of a slot (``sal-1``), or of an incarnation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, TypeVar

from pydantic import Field

from hero_supervisor.errors import ActorElsewhere, ActorUnknown, NotSupervised
from hero_supervisor.fleet import fleet as fleets
from hero_supervisor.fleet.fleet import Fleet
from hero_supervisor.fleet.functions import list_functions
from hero_supervisor.rpc.methods import actor_views as views
from hero_supervisor.rpc.methods import shapes
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

T = TypeVar("T")

_NAMED: Final = (ErrorCode.NOT_SUPERVISED, ErrorCode.ACTOR_NOT_FOUND, ErrorCode.ACTOR_ELSEWHERE, *STORE_CODES)

_Name: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200, description="An entry (all of its processes), a slot, or an incarnation.")
]
_Wait: TypeAlias = Annotated[bool, Field(description="Answer when everything is done, not when it has started.")]


class ActorMethods:
    """The methods on actor processes.

    Args:
        supervisor: Knows the actors of all hosts.
        fleet: The actors of this supervisor; None if it has none.
    """

    def __init__(self, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
        self._supervisor = supervisor
        self._fleet = fleet

    async def list_actors(self) -> list[views.ListedActor]:
        """Return every actor process that has joined, on any host, and those of this supervisor that have not.

        An actor that has not started yet, is held, or cannot start, has no beat; `supervised` says why.
        """
        present = await self._supervisor.list_actors()
        ours = {child.incarnation or child.slot: child for child in (self._fleet.children() if self._fleet else ())}
        listed: list[views.ListedActor] = []
        for actor in present:
            child = ours.pop(actor.incarnation, None)
            slot = None if child is None else views.slot_view(child)
            listed.append({**shapes.actor_view(actor), "supervised": slot})
        return listed + [views.absent_view(child) for child in ours.values()]

    async def get_actor(self, name: _Name) -> views.ActorEntryView:
        """Return an entry of this supervisor with all of its processes, or with the one that you named."""
        return await self._act(name, lambda fleet: views.entry_view(fleet.look(name)))

    async def list_functions(self, name: _Name) -> list[views.FunctionView]:
        """Return the functions that scripts of an entry may call, and those that a setting would allow."""
        entry = await self._act(name, lambda fleet: fleet.look(name))
        return [views.FunctionView(**row) for row in await list_functions(entry.spec)]  # type: ignore[typeddict-item]

    async def get_actor_logs(
        self,
        name: _Name,
        after: Annotated[int, Field(ge=0, description="Cursor of the last call; 0 for all lines.")] = 0,
        count: Annotated[int, Field(ge=1, le=10_000)] = 100,
    ) -> views.ActorLog:
        """Return the last lines that the processes of a slot have written, including processes that have ended.

        You can name an entry if it has one process. A few hundred lines are kept while the supervisor runs.
        """
        return views.log_view(await self._act(name, lambda fleet: fleet.logs(name, after=after, count=count)), after)

    async def start_actor(self, name: _Name) -> views.ActorEntryView:
        """Start processes that were stopped, have ended, could not start, or wait for a restart; others run on."""
        return await self._act(name, lambda fleet: views.entry_view(fleet.start(name)))

    async def stop_actor(self, name: _Name) -> views.ActorEntryView:
        """Stop one process, or all of an entry, until start_actor; jobs that do not end in time are handed back."""
        return await self._act(name, lambda fleet: views.entry_view(fleet.stop(name)))

    async def restart_actor(self, name: _Name, wait: _Wait = True) -> views.Rolled:
        """Replace one process, those of an entry, or ("*") all, one at a time; no job is lost or run twice.

        The new process starts before the old one drains. Where that would break the order of a queue, the old one
        drains first. If a new process does not become ready, the remaining ones are not replaced.
        """
        rolling = await self._act(name, lambda fleet: fleet.restart(name))
        return await _rolled(rolling, wait=wait)

    async def scale_actors(
        self, name: _Name, count: Annotated[int, Field(ge=0, le=fleets.MAX_COUNT)]
    ) -> views.ActorEntryView:
        """Set the number of processes of an entry until the config changes; surplus processes drain."""
        return await self._act(name, lambda fleet: views.entry_view(fleet.scale(name, count)))

    async def reload(self, wait: _Wait = False) -> views.Reloaded:
        """Load the config again, apply what can change, replace affected processes, and list what needs a restart."""
        if self._fleet is None:
            raise NotSupervised
        changes = self._fleet.reload()
        return views.reloaded_view(changes, await _rolled(self._fleet.rolled(), wait=wait))

    async def _act(self, name: str, act: Callable[[Fleet], T]) -> T:
        if self._fleet is None or not self._fleet.entries:
            raise NotSupervised
        try:
            return act(self._fleet)
        except ActorUnknown:
            for actor in await self._supervisor.list_actors():
                if name in (actor.name, actor.incarnation):
                    raise ActorElsewhere(name, actor.host) from None
            raise


async def _rolled(rolling: fleets.RollFuture, *, wait: bool) -> views.Rolled:
    if not wait:
        return {"done": rolling.done(), "replaced": []}
    return {"done": True, "replaced": list(await fleets.rolled(rolling))}


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
    """Register the methods on actor processes."""
    methods = ActorMethods(supervisor, fleet)
    add = dispatcher.register
    add("list_actors", methods.list_actors, error_codes=STORE_CODES)
    add("get_actor", methods.get_actor, error_codes=_NAMED)
    add("list_functions", methods.list_functions, error_codes=(ErrorCode.FUNCTIONS_UNKNOWN, *_NAMED))
    add("get_actor_logs", methods.get_actor_logs, error_codes=_NAMED)
    add("start_actor", methods.start_actor, error_codes=_NAMED)
    add("stop_actor", methods.stop_actor, error_codes=_NAMED)
    add("restart_actor", methods.restart_actor, error_codes=(ErrorCode.ROLL_STOPPED, *_NAMED))
    add("scale_actors", methods.scale_actors, error_codes=(ErrorCode.SCALE_REFUSED, *_NAMED))
    reload_codes = (ErrorCode.NOT_SUPERVISED, ErrorCode.RELOAD_REFUSED, ErrorCode.ROLL_STOPPED)
    add("reload", methods.reload, error_codes=reload_codes)
