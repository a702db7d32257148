"""The actor processes of this supervisor as an operator sees them: entries with a number of slots, to be acted on.

Owned here: how many processes each entry has now, whoever asked for that (config, operator, signal, load), and what
names mean. Called by the RPC, the signals and the scaler, on the supervisor's loop; acts through `supervise.py`.
Invariants: it acts on children of this supervisor alone; a number that an operator gave holds until the config's own
number changes, or the service starts anew.
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

#: More processes than this of one entry are a mistake.
MAX_COUNT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChanges:
    """What another config means for the actors, by entry.

    Attributes:
        added: Entries that are new.
        removed: Entries that are gone; their processes drain.
        changed: Entries whose processes are replaced.
        scaled: Entries with another number of processes.
        needs_restart: Settings that differ and only count after a restart of the service, as `section.key`.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry, as others see it.

    Attributes:
        spec: What it is, with the number of processes that is wanted now.
        slots: Its processes.
        scaling: What the scaler knows of its load; None when it is not scaled by itself.
    """

    spec: ActorSpec
    slots: tuple[ChildView, ...]
    scaling: ScaleState | None


class Fleet:
    """Acts on the actor processes of one supervisor.

    Args:
        supervision: Keeps them running.
        reload: Loads the config again and applies it; None where there is none to load.
    """

    def __init__(self, supervision: Supervision, *, reload: Callable[[], FleetChanges] | None = None) -> None:
        self._supervision = supervision
        self._reload = reload
        self._configured: dict[str, ActorSpec] = {}
        self._entries: dict[str, ActorSpec] = {}
        #: What the scaler knows, by entry; kept here for those who ask.
        self.scaling: dict[str, ScaleState] = {}

    # Looking

    @property
    def entries(self) -> tuple[ActorSpec, ...]:
        """The entries, each with the number of processes that is wanted now."""
        return tuple(self._entries.values())

    def children(self) -> tuple[ChildView, ...]:
        """All slots."""
        return self._supervision.children()

    @property
    def rolling(self) -> str:
        """The slot that is being replaced; empty when none is."""
        return self._supervision.rolling

    def look(self, name: str) -> EntryView:
        """Look at an entry with all of its slots, or with the one that was named.

        Raises:
            ActorUnknown: There is none of this name.
        """
        slots = set(self._named(name))
        children = [child for child in self.children() if child.slot in slots]
        entry = self._entries[name] if name in self._entries else self._entries[children[0].entry]
        return EntryView(spec=entry, slots=tuple(children), scaling=self.scaling.get(entry.name))

    def logs(self, name: str, *, after: int = 0, count: int = 100) -> tuple[ActorLine, ...]:
        """Give what the processes of a slot have written last, oldest first.

        Args:
            name: A slot, or an entry that has one.
            after: Number of the last line that is known already.
            count: Most lines.

        Raises:
            ActorUnknown: There is none of this name; or it has several slots, which are then named.
        """
        slots = self._named(name)
        if len(slots) > 1:
            raise ActorUnknown(name, slots)
        return self._supervision.logs.tail(slots[0], count, after) if slots else ()

    # Acting

    def apply(self, specs: Iterable[ActorSpec]) -> FleetChanges:
        """Take the entries of a config: start those that are new, drain those that are gone, replace what has changed.

        Args:
            specs: All entries.

        Returns:
            What that means. A number of processes that an operator gave stays where the config's has not changed.
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
        """Have so many processes of an entry. Those that are too many drain, the last first.

        Args:
            name: Of the entry.
            count: How many.
            reason: Why, for the log.

        Raises:
            ActorUnknown: There is no entry of this name.
            ScaleRefused: It is the name of a slot, or the number is outside of the entry's limits.
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
        """Add a process to every entry that may have more, or take one away; as far as their limits let it.

        An entry that serves its queue in order is left alone: a second process would give that up.
        """
        for entry in self.entries:
            least, most = max(1, entry.scale_min), entry.scale_max or MAX_COUNT
            count = entry.count + by
            if not entry.ordered and least <= count <= most:
                self.scale(entry.name, count, reason="signal")

    def stop(self, name: str) -> EntryView:
        """Stop a slot, or all of an entry, until it is started again; running jobs get their time.

        Raises:
            ActorUnknown: There is none of this name.
        """
        names = self._named(name)
        log.info("actors.stopped", extra={"name_given": name, "children": names})
        self._supervision.set_aside(names)
        return self.look(name)

    def start(self, name: str) -> EntryView:
        """Start a slot, or all of an entry: what was stopped, cannot start, has ended, or pauses. Others go on.

        Raises:
            ActorUnknown: There is none of this name.
        """
        names = self._named(name)
        log.info("actors.started", extra={"name_given": name, "children": names})
        self._supervision.start_again(names)
        return self.look(name)

    def restart(self, name: str = "*") -> RollFuture:
        """Replace the process of a slot, those of an entry, or (`*`) all, one at a time and without losing a job.

        Returns:
            Tells what became of it.

        Raises:
            ActorUnknown: There is none of this name.
        """
        names = tuple(child.slot for child in self.children()) if name == "*" else self._named(name)
        log.info("actors.restarting", extra={"name_given": name, "children": names})
        return self._supervision.replace(names)

    def reload(self) -> FleetChanges:
        """Load the config again, take what can change while the service runs, replace the processes it changes.

        Raises:
            ReloadRefused: It has errors, and nothing was changed; or there is no config.
        """
        if self._reload is None:
            raise ReloadRefused(("this server was started without a config that could be loaded again",))
        return self._reload()

    def rolled(self) -> RollFuture:
        """Tells when nothing is left to be replaced."""
        return self._supervision.replace(())

    def _want(self) -> None:
        self._supervision.want(self._entries.values())

    def _named(self, name: str) -> tuple[str, ...]:
        """The slots that a name means: of an entry, of a slot, or of an incarnation."""
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
    """Name of this machine, as actors give it."""
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
