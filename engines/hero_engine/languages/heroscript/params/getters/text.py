"""Getters of arguments, contacts, times, paths and choices. `Params` inherits them.

Source: HeroScript specification, section 9.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

from hero_engine.languages.heroscript.params.param_store import ParamStore
from hero_engine.languages.heroscript.params.paths import create_folder, find_path
from hero_engine.languages.heroscript.params.times import parse_clock, parse_interval, parse_time
from hero_engine.languages.heroscript.text.diagnostic import shorten
from hero_engine.languages.heroscript.text.errors import ParamError
from hero_engine.languages.heroscript.text.names import ascii_lower
from hero_engine.languages.heroscript.text.numbers import parse_int


class TextGetters(ParamStore):
    """Every getter raises `ParamError` if the key is missing or the value is invalid.

    A `_default` form returns its default only if the key is missing.
    """

    __slots__ = ()

    # Arguments ----------------------------------------------------------------------------------------------------

    def get_arg(self, number: int) -> str:
        """An argument, by its 0-based number."""
        args = self.args
        if not 0 <= number < len(args):
            message = f"Looking for arg nr {number}, not enough args available."
            raise ParamError(message, place=self.place, code="missing")
        return args[number]

    def get_arg_default(self, number: int, default: str) -> str:
        """An argument, by its 0-based number, or the default."""
        return self.get_arg(number) if 0 <= number < len(self._args) else default

    def get_arg_int(self, number: int) -> int:
        """An argument as a signed integer of 32 bits."""
        value = self.get_arg(number)
        try:
            return parse_int(value, 32, signed=True)
        except ValueError as error:
            place = self._block.place_of_arg(value) if self._block else None
            message = f"failed to convert argument {shorten(value)} to int: {error}"
            raise ParamError(message, place=place, text=value) from None

    def get_arg_int_default(self, number: int, default: int) -> int:
        """An argument as a signed integer of 32 bits, or the default."""
        return self.get_arg_int(number) if 0 <= number < len(self._args) else default

    def get_arg_check(self, number: int, count: int) -> str:
        """An argument by its number, provided that there are exactly `count` arguments."""
        self.check_arg_len(count)
        return self.get_arg(number)

    def check_arg_len(self, count: int) -> None:
        """Demand exactly `count` arguments."""
        if len(self._args) != count:
            message = f"the amount of expected args is {count}, we found different."
            raise ParamError(message, place=self.place, hint=f"found {len(self._args)}")

    # Contacts -----------------------------------------------------------------------------------------------------

    def get_email(self, key: str) -> str:
        """An email address in lower case; it is not validated."""
        return self.get(key).strip(" ").lower()

    def get_emails(self, key: str) -> list[str]:
        """Email addresses between commas, in lower case."""
        return [item.strip("'\" ").lower() for item in self.get(key).strip("[] ").split(",")]

    def get_telnr(self, key: str) -> str:
        """A telephone number, without `+` at its ends and without dashes."""
        return _telnr(self.get(key))

    def get_telnrs(self, key: str) -> list[str]:
        """Telephone numbers between commas."""
        return [_telnr(item.strip("'\" ")) for item in self.get(key).strip("[] ").split(",")]

    # Times --------------------------------------------------------------------------------------------------------

    def get_time(self, key: str, *, now_s: int | None = None) -> int:
        """A point in time in epoch seconds: empty, `0`, `+1h -2d`, or `YYYY-MM-DD HH:MM:SS` in UTC.

        Args:
            key: The parameter.
            now_s: What relative times are relative to; None for the current time.
        """
        return self._time(key, self.get(key), now_s)

    def get_time_default(self, key: str, default: str, *, now_s: int | None = None) -> int:
        """A point in time. The default is a text and is parsed in the same way."""
        return self._time(key, self.get_default(key, default), now_s)

    def get_time_interval(self, key: str, *, now_s: int | None = None) -> tuple[int, int]:
        """Two points in time, written `start - end`. The reference always fails here [Q39]."""
        return self._parse(key, self.get(key), partial(parse_interval, now_s=_now(now_s)))

    def get_timestamp(self, key: str) -> timedelta:
        """A time of day, `16:21` or `4:21PM`, as the time since midnight."""
        try:
            return parse_clock(self.get(key))
        except ValueError as error:
            raise self._invalid(key, str(error), hint="write 16:21 or 4:21PM") from None

    def get_timestamp_default(self, key: str, default: timedelta) -> timedelta:
        """A time of day, or the default."""
        return default if self._find(key) is None else self.get_timestamp(key)

    # Paths and choices --------------------------------------------------------------------------------------------

    def get_path(self, key: str) -> Path:
        """A path that exists. Every `~` stands for the home folder."""
        value = self.get(key)
        found = find_path(value)
        if found is None:
            raise self._invalid(key, f"Cannot find path: {shorten(value, 400)} was for key:{key}")
        return found

    def get_path_create(self, key: str) -> Path:
        """A path that is created as a folder if it does not exist."""
        value = self.get(key)
        found = create_folder(value)
        if found is None:
            raise self._invalid(key, f"Cannot create path: {shorten(value, 400)} was for key:{key}")
        return found

    def get_from_hashmap(self, key: str, default: str, choices: Mapping[str, str]) -> str:
        """The meaning of a value.

        Args:
            key: The parameter.
            default: It is looked up instead if the value is missing or has no meaning.
            choices: Comma-separated synonyms and their meaning; compared regardless of case.
        """
        meanings = {
            ascii_lower(word.strip(" ")): meaning for words, meaning in choices.items() for word in words.split(",")
        }
        value = self.get_default(key, default)
        for word in (value, default):
            meaning = meanings.get(ascii_lower(word.strip(" ")))
            if meaning is not None:
                return meaning
        message = (
            f"Did not find key:{key} in {shorten(self._summary())} "
            f"with hashmap:{shorten(str(dict(choices)))} and default:{shorten(default)}"
        )
        raise self._invalid(key, message)

    def _time(self, key: str, value: str, now_s: int | None) -> int:
        return self._parse(key, value, partial(parse_time, now_s=_now(now_s)))


def _telnr(text: str) -> str:
    return text.strip("+ ").replace("-", "")


def _now(now_s: int | None) -> int:
    return int(time.time()) if now_s is None else now_s
