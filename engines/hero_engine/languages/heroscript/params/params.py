"""`Params`: what an action was given. The store, all getters, and the operations between whole params.

Source: HeroScript specification, sections 1, 4, 5 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Self

from hero_engine.languages.heroscript.params.getters.lists import ListGetters
from hero_engine.languages.heroscript.params.getters.number import NumberGetters
from hero_engine.languages.heroscript.params.getters.text import TextGetters
from hero_engine.languages.heroscript.text.block import Block
from hero_engine.languages.heroscript.text.glob import matches_value
from hero_engine.languages.heroscript.text.names import name_fix, trim
from hero_engine.languages.heroscript.text.source import Source
from hero_engine.languages.heroscript.text.values import clean_text

_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]++)\}")


class Params(NumberGetters, ListGetters, TextGetters):
    """Parameters by key, arguments, comments; read with the typed getters."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, path: str = "") -> Self:
        """Read a parameter block that stands alone.

        Args:
            text: the block; blank lines inside multi-line values are kept here, unlike in a script [Q02].
            path: what to call it in messages.

        Raises:
            ParseError: the text is no parameter block.

        Source: specification, section 4.
        """
        source = Source(text, path)
        block = Block(source, 0, len(source.lines))
        return cls.from_items(block.scan().items, block)

    def get_params(self, key: str) -> Params:
        """The value of a key, read as a parameter block of its own.

        Raises:
            ParamError: no such key.
            ParseError: its value is no parameter block.
        """
        return Params.parse(self.get(key), f"<{name_fix(key)}>")

    def merge(self, other: Params) -> None:
        """Add another's parameters, arguments and comments; where both have a key, the other wins."""
        for param in other.params:
            self.set(param.key, param.value, param.comment)
        for arg in other.args:
            self.set_arg(arg)
        self.comments += other.comments

    def add(self, text: str) -> None:
        """Merge a parameter block given as text.

        Raises:
            ParseError: the text is no parameter block; nothing was added.
        """
        self.merge(Params.parse(text))

    def replace(self, words: Mapping[str, str]) -> None:
        """Put values in the place of `{WORD}` in every value.

        Args:
            words: a word is found if its `name_fix` is a key here; unknown words stay as they are.
        """
        for key, value in self._values.items():
            if "{" in value:
                filled = _PLACEHOLDER.sub(lambda found: words.get(name_fix(found[1]), found[0]), value)
                self._values[key] = clean_text(filled)

    def filter_match(self, include: Iterable[str], exclude: Iterable[str] = ()) -> bool:
        """Whether these params pass a filter.

        Args:
            include: at least one of these must match, if there are any.
            exclude: none of these may match.

        Returns:
            The verdict. An item is tests joined by `+`, which must all hold: `key:pattern` looks at the parameter of
            exactly that key, a test without colon at the arguments; a pattern may be a glob.

        Source: specification, section 5.
        """
        included = list(include)
        if included and not any(self._matches(item) for item in included):
            return False
        return not any(self._matches(item) for item in exclude)

    def copy(self) -> Params:
        """An independent copy that still knows where it was read."""
        twin = Params(self._block)
        twin._values = dict(self._values)
        twin._remarks = dict(self._remarks)
        twin._args = dict(self._args)
        twin.comments = list(self.comments)
        return twin

    def __repr__(self) -> str:
        return f"<Params {self._summary()}>"

    def _matches(self, item: str) -> bool:
        return all(self._passes(trim(test)) for test in item.split("+"))

    def _passes(self, test: str) -> bool:
        key, colon, pattern = test.partition(":")
        if not colon:
            return any(matches_value(test, arg) for arg in self._args.values())
        value = self._values.get(key)
        return value is not None and matches_value(pattern, value)
