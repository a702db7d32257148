"""The actor processes of this supervisor as an operator sees them: entries with a number of slots.

Owned here: how many processes each entry has now (set by the config, an operator, a signal or the load), and which
slots a name means. The RPC, the signals and the scaler call this on the supervisor's loop; it acts through
`children/supervise.py`. Invariants: it acts only on children of this supervisor; a number that an operator sets holds
until the config's own number changes or the service restarts.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.rolling import RollReport
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.errors import ActorUnknown, ReloadRefused, RollStopped, ScaleRefused
from hero_supervisor.fleet.autoscale import ScaleState
from hero_supervisor.process.child_log import ActorLine
from hero_supervisor.process.spec import ActorSpec

RollFuture: TypeAlias = asyncio.Future[RollReport]

log = logging.getLogger(__name__)

#: A request for more processes of one entry than this is a mistake.
MAX_COUNT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChanges:
    """What another config changes, by entry.

    Attributes:
        added: New entries.
        removed: Entries that are gone. Their processes drain.
        changed: Entries whose processes are replaced.
        scaled: Entries with another number of processes.
        needs_restart: Settings that differ and apply only after a restart of the service, as `section.key`.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry at one moment.

    Attributes:
        spec: Its spec, with the number of processes that is wanted now.
        slots: Its processes.
        scaling: What the scaler knows about its load; None when it is not scaled automatically.
    """

    spec: ActorSpec
    slots: tuple[ChildView, ...]
    scaling: ScaleState | None


class Fleet:
    """Acts on the actor processes of one supervisor.

    Args:
        supervision: Keeps them running.
        reload: Loads the config again and applies it; None when there is no config to load.
    """

    def __init__(self, supervision: Supervision, *, reload: Callable[[], FleetChanges] | None = None) -> None:
        self._supervision = supervision
        self._reload = reload
        self._configured: dict[str, ActorSpec] = {}
        self._entries: dict[str, ActorSpec] = {}
        #: What the scaler knows, by entry. It is kept here so that `look` can show it.
        self.scaling: dict[str, ScaleState] = {}

    # Show

    @property
    def entries(self) -> tuple[ActorSpec, ...]:
        """List the entries, each with the number of processes that is wanted now."""
        return tuple(self._entries.values())

    def children(self) -> tuple[ChildView, ...]:
        """Show all slots."""
        return self._supervision.children()

    @property
    def rolling(self) -> str:
        """The slot that is being replaced; empty when none is."""
        return self._supervision.rolling

    def look(self, name: str) -> EntryView:
        """Show an entry with all of its slots, or with the named one.

        Raises:
            ActorUnknown: Nothing has this name.
        """
        slots = set(self._named(name))
        children = [child for child in self.children() if child.slot in slots]
        entry = self._entries[name] if name in self._entries else self._entries[children[0].entry]
        return EntryView(spec=entry, slots=tuple(children), scaling=self.scaling.get(entry.name))

    def logs(self, name: str, *, after: int = 0, count: int = 100) -> tuple[ActorLine, ...]:
        """Give the newest lines that the processes of a slot have printed, oldest first.

        Args:
            name: A slot, or an entry that has one slot.
            after: Number of the last line that the caller knows already.
            count: Largest number of lines.

        Raises:
            ActorUnknown: Nothing has this name, or the entry has several slots; the error lists them.
        """
        slots = self._named(name)
        if len(slots) > 1:
            raise ActorUnknown(name, slots)
        return self._supervision.logs.tail(slots[0], count, after) if slots else ()

    # Act

    def apply(self, specs: Iterable[ActorSpec]) -> FleetChanges:
        """Take the entries of a config: start new ones, drain those that are gone, replace those that have changed.

        Args:
            specs: All entries.

        Returns:
            What changes. A number of processes that an operator set stays unless the config's number changes.
        """
        before, configured = self._entries, {spec.name: spec for spec in specs}
        self._entries = {name: self._with_count(spec) for name, spec in configured.items()}
        changes = FleetChanges(
            added=tuple(name for name in configured if name not in before),
            removed=tuple(name for name in before if name not in configured),
            changed=tuple(name for name, spec in configured.items() if name in before and spec != before[name]),
            scaled=tuple(n for n, e in self._entries.items() if n in before and e.count != before[n].count),
        )
        self._configured = configured
        self.scaling = {name: state for name, state in self.scaling.items() if name in configured}
        self._want()
        return changes

    def scale(self, name: str, count: int, *, reason: str = "asked") -> EntryView:
        """Set the number of processes of an entry. Surplus processes drain, the last first.

        Args:
            name: Name of the entry.
            count: Number of processes.
            reason: Why, for the log.

        Raises:
            ActorUnknown: There is no entry of this name.
            ScaleRefused: It is the name of a slot, or the number is outside the limits of the entry.
        """
        entry = self._entries.get(name)
        if entry is None:
            slots = self._named(name)
            raise ScaleRefused(name, f"it is one process; scale its entry, {self._entry_of(slots[0])}")
        least, most = (entry.scale_min, entry.scale_max) if entry.scale_max else (0, MAX_COUNT)
        if not least <= count <= most:
            raise ScaleRefused(name, f"{count} is not between {least} and {most}")
        if count != entry.count:
            log.info("actors.scaled", extra={"entry": name, "from": entry.count, "to": count, "reason": reason})
            self._entries[name] = replace(entry, count=count)
            self._want()
        return self.look(name)

    def step(self, by: int) -> None:
        """Add a process to every entry, or remove one, within the limits of each.

        An entry that serves its queue in order keeps its number: a second process would break the order.
        """
        for entry in self.entries:
            least, most = max(1, entry.scale_min), entry.scale_max or MAX_COUNT
            count = entry.count + by
            if not entry.ordered and least <= count <= most:
                self.scale(entry.name, count, reason="signal")

    def stop(self, name: str) -> EntryView:
        """Stop a slot, or all slots of an entry, until they are started again. Running jobs get their time.

        Raises:
            ActorUnknown: Nothing has this name.
        """
        names = self._named(name)
        log.info("actors.stopped", extra={"name_given": name, "children": names})
        self._supervision.set_aside(names)
        return self.look(name)

    def start(self, name: str) -> EntryView:
        """Start the slots of a name that were stopped, failed to start, have ended, or pause. Others go on running.

        Raises:
            ActorUnknown: Nothing has this name.
        """
        names = self._named(name)
        log.info("actors.started", extra={"name_given": name, "children": names})
        self._supervision.start_again(names)
        return self.look(name)

    def restart(self, name: str = "*") -> RollFuture:
        """Replace the processes of a slot, of an entry, or (`*`) of all, one at a time and without losing a job.

        Returns:
            A future of the result.

        Raises:
            ActorUnknown: Nothing has this name.
        """
        names = tuple(child.slot for child in self.children()) if name == "*" else self._named(name)
        log.info("actors.restarting", extra={"name_given": name, "children": names})
        return self._supervision.replace(names)

    def reload(self) -> FleetChanges:
        """Load the config again, apply what can change while the service runs, and replace the changed processes.

        Raises:
            ReloadRefused: The config has errors, or there is no config to load. Nothing was changed.
        """
        if self._reload is None:
            raise ReloadRefused(("this server was started without a config that could be loaded again; restart it",))
        return self._reload()

    def rolled(self) -> RollFuture:
        """Give a future that is done when nothing is left to replace."""
        return self._supervision.replace(())

    def _want(self) -> None:
        self._supervision.want(self._entries.values())

    def _named(self, name: str) -> tuple[str, ...]:
        """List the slots that the name of an entry, a slot or an incarnation means."""
        children = [child for child in self.children() if child.role == "owner"]
        if name in self._entries:
            return tuple(child.slot for child in children if child.entry == name)
        found = tuple(child.slot for child in children if name in (child.slot, child.incarnation))
        if not found or not name:
            raise ActorUnknown(name, (*self._entries, *(child.slot for child in children)))
        return found

    def _entry_of(self, slot: str) -> str:
        return next(child.entry for child in self.children() if child.slot == slot)

    def _with_count(self, spec: ActorSpec) -> ActorSpec:
        now, was = self._entries.get(spec.name), self._configured.get(spec.name)
        if now is None or was is None or was.count != spec.count:
            return spec
        count = min(max(now.count, spec.scale_min), spec.scale_max) if spec.scale_max else now.count
        return replace(spec, count=count)


def node_name() -> str:
    """Give the name of this machine, as actors report it."""
    return os.uname().nodename


async def rolled(rolling: RollFuture) -> tuple[str, ...]:
    """Wait for the end of a rolling restart.

    Returns:
        The slots that were replaced.

    Raises:
        RollStopped: A new process did not become ready.
    """
    report = await asyncio.shield(rolling)
    if report.failed:
        raise RollStopped(report.failed, report.reason, report.kept, report.replaced)
    return report.replaced
