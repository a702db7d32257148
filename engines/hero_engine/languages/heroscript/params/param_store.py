"""Stores the parameters of an action: parameters by key, arguments, and comments, each in order.

It is the base class of `Params` and of the getters in `getters/`. Invariant: keys are unique, and every stored key,
value and argument can be written as HeroScript and read back (`write` and `scan` rely on it).

Source: HeroScript specification, sections 1, 4.4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self, TypeVar

from hero_engine.languages.heroscript.text.block import Block
from hero_engine.languages.heroscript.text.diagnostic import Place, did_you_mean, shorten
from hero_engine.languages.heroscript.text.errors import ParamError
from hero_engine.languages.heroscript.text.names import ascii_lower, name_fix, trim
from hero_engine.languages.heroscript.text.tokens import Item
from hero_engine.languages.heroscript.text.values import clean_comment, clean_text, trim_comment

T = TypeVar("T")

_KEY = re.compile(r"(?!/)[A-Za-z0-9_,./]*+")
_ARG = re.compile(r"(?!//)[A-Za-z0-9_,./]++")


@dataclass(frozen=True, slots=True)
class Param:
    """One stored parameter."""

    key: str
    value: str
    comment: str = ""


class ParamStore:
    """Ordered parameters and arguments.

    Args:
        block: The text that they were read from, for places; None if a program set them.
    """

    __slots__ = ("_args", "_block", "_remarks", "_values", "comments")

    def __init__(self, block: Block | None = None) -> None:
        self._values: dict[str, str] = {}
        self._remarks: dict[str, str] = {}
        # By lower case: two arguments that differ only in case are the same [Q20].
        self._args: dict[str, str] = {}
        self._block = block
        self.comments: list[str] = []

    @classmethod
    def from_items(cls, items: Iterable[Item], block: Block | None = None) -> Self:
        """Store the items of a scanner, in their order."""
        self = cls(block)
        values, remarks = self._values, self._remarks
        for key, value, remark, _, _ in items:
            if key is None:
                self._args.setdefault(ascii_lower(value), value)
                if remark and (comment := clean_comment(remark)):
                    self.comments.append(comment)
                continue
            if key in values:
                # The last value wins and moves to the end [Q50].
                del values[key]
                remarks.pop(key, None)
            values[key] = value
            if remark and (comment := clean_comment(remark)):
                remarks[key] = comment
        return self

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in order."""
        return tuple(Param(key, value, self._remarks.get(key, "")) for key, value in self._values.items())

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments in order."""
        return tuple(self._args.values())

    @property
    def place(self) -> Place | None:
        """Where the text of these parameters starts; None if there is none."""
        return self._block.place if self._block else None

    @property
    def block(self) -> Block | None:
        """The text that they were read from; None if a program set them."""
        return self._block

    def place_of(self, key: str) -> Place | None:
        """Find a parameter in the text that it was read from; if it is not there, return the start of the text."""
        if self._block is None:
            return None
        return self._block.place_of(key) or self._block.place

    def exists(self, key: str) -> bool:
        """Whether a key is stored. The key is trimmed and compared in lower case."""
        return ascii_lower(trim(key)) in self._values

    def exists_arg(self, value: str) -> bool:
        """Whether an argument is stored, regardless of case [Q20]."""
        return ascii_lower(trim(value)) in self._args

    def empty(self) -> bool:
        """Whether there are neither parameters nor arguments."""
        return not self._values and not self._args

    def get_map(self) -> dict[str, str]:
        """Return the values by key, without the arguments."""
        return dict(self._values)

    def comment_of(self, key: str) -> str:
        """Return the comment of a parameter, or ""."""
        return self._remarks.get(ascii_lower(trim(key)), "")

    def set(self, key: str, value: str, comment: str = "") -> None:
        """Store a parameter at the end, replacing one with the same key.

        Args:
            key: Letters, digits and `_ , . /`, not starting with a slash; stored in lower case.
            value: Any text; it is normalised to what a script can hold (trimmed, line ends as line feeds).
            comment: Any text.

        Raises:
            ParamError: A script cannot hold this key.
        """
        fixed = ascii_lower(trim(key))
        if not _KEY.fullmatch(fixed):
            raise ParamError(f"a key holds only A-Za-z0-9 and _.,/ : {shorten(key)!r}", text=key, hint=name_fix(key))
        self.discard(fixed)
        self._values[fixed] = clean_text(value)
        if remark := trim_comment(clean_text(comment)):
            self._remarks[fixed] = remark

    def set_arg(self, value: str) -> None:
        """Store an argument at the end, unless it is stored already.

        Raises:
            ParamError: A script cannot hold this argument; such a text can only be the value of a parameter.
        """
        arg = value.strip(" '")
        if not _ARG.fullmatch(arg):
            raise ParamError(f"an argument holds only A-Za-z0-9 and _.,/ : {shorten(value)!r}", text=value)
        self._args.setdefault(ascii_lower(arg), arg)

    def delete(self, key: str) -> None:
        """Remove a parameter.

        Raises:
            ParamError: The key is missing.
        """
        if not self.exists(key):
            raise self._missing(key)
        self.discard(key)

    def discard(self, key: str) -> None:
        """Remove a parameter if it is stored."""
        fixed = ascii_lower(trim(key))
        if self._values.pop(fixed, None) is not None:
            self._remarks.pop(fixed, None)

    def delete_arg(self, value: str) -> None:
        """Remove an argument if it is stored."""
        self._args.pop(ascii_lower(trim(value)), None)

    def get(self, key: str) -> str:
        """Return the value of a key, without spaces at its ends.

        Args:
            key: It is looked up trimmed and in lower case, then as `name_fix` makes it [Q09].

        Raises:
            ParamError: The key is missing.
        """
        value = self._find(key)
        if value is None:
            raise self._missing(key)
        return value.strip(" ")

    def get_default(self, key: str, default: str) -> str:
        """Return the value of a key, or the default if the key is missing."""
        value = self._find(key)
        return default if value is None else value.strip(" ")

    def __iter__(self) -> Iterator[Param]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self._values)

    def _find(self, key: str) -> str | None:
        value = self._values.get(ascii_lower(trim(key)))
        return self._values.get(name_fix(key)) if value is None else value

    def _stored_key(self, key: str) -> str:
        plain = ascii_lower(trim(key))
        return plain if plain in self._values else name_fix(key)

    def _missing(self, key: str) -> ParamError:
        fixed = name_fix(key)
        return ParamError(
            f"Did not find key:{fixed} in {shorten(self._summary())}",
            place=self.place,
            hint=did_you_mean(fixed, self._values),
            code="missing",
        )

    def _parse(self, key: str, text: str, parse: Callable[[str], T], message: str = "") -> T:
        """Parse a text, and turn a ValueError into an error about the value of a key.

        Args:
            key: The key.
            text: Its value, or a default for it.
            parse: Parses the text.
            message: The message of the error; "" for that of the ValueError.
        """
        try:
            return parse(text)
        except ValueError as error:
            raise self._invalid(key, message or str(error)) from None

    def _invalid(self, key: str, message: str, *, hint: str = "") -> ParamError:
        """Make an error about the value of a key, at its place in the text."""
        stored = self._stored_key(key)
        return ParamError(message, place=self.place_of(stored), text=self._values.get(stored, ""), hint=hint)

    def _summary(self) -> str:
        # Bounded, because an error about one key must not print a megabyte of others.
        head = [f"{key}:{shorten(value, 20)}" for key, value in list(self._values.items())[:8]]
        return " ".join([*list(self._args.values())[:8], *head]) or "(no parameters)"
