"""`Params`, the parameters of an action: the store, all getters, and operations that involve whole parameter sets.

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
    """The parameters by key, the arguments, and the comments of an action, with typed getters."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str, path: str = "") -> Self:
        """Parse a parameter block that stands alone.

        Args:
            text: The block. Unlike in a script, blank lines inside multi-line values are kept [Q02].
            path: Its name in messages.

        Raises:
            ParseError: The text is not a parameter block.

        Source: specification, section 4.
        """
        source = Source(text, path)
        block = Block(source, 0, len(source.lines))
        return cls.from_items(block.scan().items, block)

    def get_params(self, key: str) -> Params:
        """Parse the value of a key as a parameter block of its own.

        Raises:
            ParamError: The key is missing.
            ParseError: Its value is not a parameter block.
        """
        return Params.parse(self.get(key), f"<{name_fix(key)}>")

    def merge(self, other: Params) -> None:
        """Add the parameters, arguments and comments of another set. Its value wins if both have a key."""
        for param in other.params:
            self.set(param.key, param.value, param.comment)
        for arg in other.args:
            self.set_arg(arg)
        self.comments += other.comments

    def add(self, text: str) -> None:
        """Parse a parameter block and merge it.

        Raises:
            ParseError: The text is not a parameter block; nothing was added.
        """
        self.merge(Params.parse(text))

    def replace(self, words: Mapping[str, str]) -> None:
        """Replace each `{WORD}` in the values.

        Args:
            words: The replacements. A word is looked up as `name_fix` makes it; an unknown word stays as it is.
        """
        for key, value in self._values.items():
            if "{" in value:
                filled = _PLACEHOLDER.sub(lambda found: words.get(name_fix(found[1]), found[0]), value)
                self._values[key] = clean_text(filled)

    def filter_match(self, include: Iterable[str], exclude: Iterable[str] = ()) -> bool:
        """Check whether these parameters pass a filter.

        Args:
            include: At least one of these items must match, unless there are none.
            exclude: None of these items may match.

        Returns:
            True if they pass. An item consists of tests that are joined by `+` and must all hold. `key:pattern` tests
            the parameter with exactly that key; a test without a colon tests the arguments. A pattern may be a glob.

        Source: specification, section 5.
        """
        included = list(include)
        if included and not any(self._matches(item) for item in included):
            return False
        return not any(self._matches(item) for item in exclude)

    def copy(self) -> Params:
        """Make an independent copy that still knows its place in the text."""
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
