"""Finds functions by their names: which family has them, and that family when it is first used.

A family is imported when a script mentions one of its names. The index below says which family that is, so a script
that uses no function imports none, and the index itself is imported with the first script only. Families of other
distributions have an entry point of the group `hero.functions`, whose value is `module:FAMILY`; they are looked up only
if the operator names them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from importlib import import_module

from hero_engine.errors import EngineUnavailable
from hero_engine.host.definition import Family, FunctionMalformed, HostFunction
from hero_engine.host.family_index import NAMES_BY_FAMILY, PURE

ENTRY_POINT_GROUP = "hero.functions"


class Catalogue:
    """The functions that an actor can offer. Thread-safe.

    Args:
        extra: The entry points of other distributions that the operator allows.
        objects: The family of the actor's objects; None for none.

    Attributes:
        known: The families that have a function or method of this name, by its name.

    Raises:
        EngineUnavailable: A family that the operator names is not installed or does not load.
    """

    def __init__(self, extra: Iterable[str] = (), objects: Family | None = None) -> None:
        self._loaded: dict[str, Family] = {}
        self._lock = threading.Lock()
        self.known: dict[str, list[str]] = {}
        for family, names in NAMES_BY_FAMILY.items():
            for name in names.split():
                self.known.setdefault(name, []).append(family)
        for family_of in (*map(_load_extra, extra), *((objects,) if objects is not None else ())):
            self._loaded[family_of.name] = family_of
            for function in family_of.functions:
                owners = self.known.setdefault(function.name, [])
                if family_of.name not in owners:
                    # Functions of objects come first: they look at maps and leave those that are no objects to others.
                    owners.insert(0 if family_of is objects else len(owners), family_of.name)

    def functions(self, name: str) -> list[HostFunction]:
        """All functions and methods of this name, in the order in which a call tries them."""
        return [f for family in self.known.get(name, ()) for f in self.family(family).functions if f.name == name]

    def family(self, name: str) -> Family:
        """A family, which is imported if it was not used before."""
        with self._lock:
            found = self._loaded.get(name)
            if found is None:
                found = self._loaded[name] = _load_builtin(name)
        return found

    def families(self) -> Iterator[Family]:
        """All families, by name. This imports them all."""
        for name in sorted({*NAMES_BY_FAMILY, *self._loaded}):
            yield self.family(name)


def _load_builtin(name: str) -> Family:
    module = import_module(f"hero_engine.host.families.{'pure.' if name in PURE else ''}{name}")
    family: Family = module.FAMILY
    return family


def _load_extra(name: str) -> Family:
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if not found:
        raise EngineUnavailable(
            name, "no family of functions has this name", "Install its distribution, or remove it from [actors.allow]."
        )
    try:
        family = found[0].load()
    # A package is foreign code. To the operator, any exception means the same: it does not load.
    except Exception as e:
        raise EngineUnavailable(name, f"it does not load: {type(e).__name__}: {e}", "Repair or reinstall it.") from e
    if not isinstance(family, Family):
        raise EngineUnavailable(name, str(FunctionMalformed(name, f"{found[0].value} is no Family")), "Repair it.")
    if family.name in NAMES_BY_FAMILY:
        raise EngineUnavailable(name, f"it calls its family {family.name}, which is taken", "Choose another name.")
    return family
