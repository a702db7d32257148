"""The rules about several `[[actors]]` entries: names, start order, restart groups.

Pure. Called by the validator of `settings.Settings`. Each message names the entries that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol


class RelatedEntry(Protocol):
    """The part of an entry that the rules need."""

    @property
    def base_name(self) -> str:
        """Its name."""

    @property
    def after(self) -> tuple[str, ...]:
        """The entries that it starts after."""

    @property
    def strategy(self) -> str:
        """Who is restarted when one process crashes."""

    @property
    def strategy_group(self) -> str:
        """The group that follows the strategy."""


def check_relations(entries: Sequence[RelatedEntry]) -> None:
    """Check all entries together.

    Raises:
        ValueError: A rule is broken; the message says which.
    """
    names = [entry.base_name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"actors: the name {name!r} is used twice; give one of them another name")
    waits: dict[str, set[str]] = {entry.base_name: set(entry.after) for entry in entries}
    for name, others in waits.items():
        if missing := sorted(others - waits.keys()):
            raise ValueError(
                f"actors: {name!r} should start after {missing[0]!r}, but no entry has that name; there are {names}"
            )
    # In a group that restarts together, the entries also start in their order.
    groups: dict[str, RelatedEntry] = {}
    for entry in entries:
        group = entry.strategy_group
        if not group:
            continue
        if group in groups and groups[group].strategy != entry.strategy:
            pair = f"{groups[group].base_name!r} and {entry.base_name!r}"
            raise ValueError(f"actors: {pair} are in strategy_group {group!r} and should have the same strategy")
        if group in groups and entry.strategy != "one_for_one":
            waits[entry.base_name].add(groups[group].base_name)
        groups[group] = entry
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as e:
        raise ValueError(f"actors: these start after each other: {' -> '.join(reversed(e.args[1]))}") from None
