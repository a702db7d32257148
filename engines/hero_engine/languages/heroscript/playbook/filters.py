"""Filters that select actions by actor and name. Pure.

Source: HeroScript specification, section 6, Filter syntax [Q06, Q27].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from hero_engine.languages.heroscript.text.glob import Glob, is_glob
from hero_engine.languages.heroscript.text.names import ascii_lower, trim

_Side = Callable[[str], bool]


class ActionFilter:
    """A compiled filter.

    Args:
        text: `actor.name` items between commas. `:` means the same as `.`, and an empty side matches anything. An item
            without a dot means `core.<item>`, so the empty filter matches all of `core`. Globs are case-sensitive,
            plain names are not.

    Results are cached by name, because a playbook of a hundred thousand actions has few different names.
    """

    __slots__ = ("_items", "_known", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._items = [_compile_item(trim(item)) for item in text.replace(":", ".").split(",")]
        self._known: dict[tuple[str, str], bool] = {}

    def matches(self, actor: str, name: str) -> bool:
        """Whether the filter selects an action of that name."""
        known = self._known.get((actor, name))
        if known is None:
            known = any(actor_side(actor) and name_side(name) for actor_side, name_side in self._items)
            self._known[actor, name] = known
        return known


@lru_cache(maxsize=64)
def _compile_item(item: str) -> tuple[_Side, _Side]:
    if "." not in item:
        return _compile_side("core"), _compile_side(item)
    return _compile_side(item.partition(".")[0]), _compile_side(item.rpartition(".")[2])


def _compile_side(side: str) -> _Side:
    side = trim(side)
    if not side:
        return lambda _: True
    if is_glob(side):
        return Glob(side).matches
    return ascii_lower(side).__eq__
