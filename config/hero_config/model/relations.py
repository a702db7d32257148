"""What the `[[actors]]` entries must agree on among themselves: names, start order, restart groups.

Pure; called by the validator of `settings.Settings`. Each complaint names the entries that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol


class Entry(Protocol):
    """What is looked at of an entry."""

    @property
    def base_name(self) -> str:
        """Its name."""

    @property
    def after(self) -> tuple[str, ...]:
        """The entries that it starts after."""

    @property
    def strategy(self) -> str:
        """Who is started anew with one that has crashed."""

    @property
    def strategy_group(self) -> str:
        """The group for that."""


def check_relations(entries: Sequence[Entry]) -> None:
    """Check all entries together.

    Raises:
        ValueError: What is wrong, in words.
    """
    names = [entry.base_name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"actors: the name {name!r} is used twice; give one of them another name")
    waits: dict[str, set[str]] = {entry.base_name: set(entry.after) for entry in entries}
    for name, others in waits.items():
        if missing := sorted(others - waits.keys()):
            raise ValueError(f"actors: {name!r} is to start after {missing[0]!r}, which is no entry; there are {names}")
    # In a group that falls together the earlier entries start first too.
    groups: dict[str, Entry] = {}
    for entry in entries:
        group = entry.strategy_group
        if not group:
            continue
        if group in groups and groups[group].strategy != entry.strategy:
            pair = f"{groups[group].base_name!r} and {entry.base_name!r}"
            raise ValueError(f"actors: {pair} are of one strategy_group, {group!r}, and should have one strategy")
        if group in groups and entry.strategy != "one_for_one":
            waits[entry.base_name].add(groups[group].base_name)
        groups[group] = entry
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as e:
        raise ValueError(f"actors: these start after each other: {' -> '.join(reversed(e.args[1]))}") from None
