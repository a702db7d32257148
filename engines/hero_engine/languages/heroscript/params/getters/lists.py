"""Getters of lists: texts, names, numbers, yes and no.

Source: HeroScript specification, section 9.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from hero_engine.languages.heroscript.params.param_store import ParamStore
from hero_engine.languages.heroscript.text.diagnostic import shorten
from hero_engine.languages.heroscript.text.names import name_fix
from hero_engine.languages.heroscript.text.numbers import parse_float, parse_int


class ListGetters(ParamStore):
    """Every getter raises `ParamError` if the key is missing or an item is not what is asked for.

    A `_default` form gives its default only if the key is missing; a malformed value is an error there too, which
    the reference swallows [Q35]. Brackets around a list are accepted everywhere [Q34].
    """

    __slots__ = ()

    def get_list(self, key: str) -> list[str]:
        """Items between commas, without quotes and spaces; empty ones are dropped."""
        return [item for item in self._items(key, "'\" ") if item]

    def get_list_default(self, key: str, default: Sequence[str]) -> list[str]:
        """Items between commas, or the default."""
        return list(default) if self._find(key) is None else self.get_list(key)

    def get_list_namefix(self, key: str) -> list[str]:
        """Items between commas, each as `name_fix` makes it."""
        return [name_fix(item) for item in self.get_list(key)]

    def get_list_namefix_default(self, key: str, default: Sequence[str]) -> list[str]:
        """Items between commas, each as `name_fix` makes it, or the default, treated alike."""
        return [name_fix(item) for item in self.get_list_default(key, default)]

    def get_list_int(self, key: str) -> list[int]:
        """Signed integers of 32 bits."""
        return self._integers(key, 32, signed=True)

    def get_list_int_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Signed integers of 32 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_int(key)

    def get_list_i8(self, key: str) -> list[int]:
        """Signed integers of 8 bits."""
        return self._integers(key, 8, signed=True)

    def get_list_i8_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Signed integers of 8 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_i8(key)

    def get_list_i16(self, key: str) -> list[int]:
        """Signed integers of 16 bits."""
        return self._integers(key, 16, signed=True)

    def get_list_i16_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Signed integers of 16 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_i16(key)

    def get_list_i64(self, key: str) -> list[int]:
        """Signed integers of 64 bits."""
        return self._integers(key, 64, signed=True)

    def get_list_i64_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Signed integers of 64 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_i64(key)

    def get_list_u8(self, key: str) -> list[int]:
        """Unsigned integers of 8 bits."""
        return self._integers(key, 8, signed=False)

    def get_list_u8_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Unsigned integers of 8 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_u8(key)

    def get_list_u16(self, key: str) -> list[int]:
        """Unsigned integers of 16 bits."""
        return self._integers(key, 16, signed=False)

    def get_list_u16_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Unsigned integers of 16 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_u16(key)

    def get_list_u32(self, key: str) -> list[int]:
        """Unsigned integers of 32 bits."""
        return self._integers(key, 32, signed=False)

    def get_list_u32_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Unsigned integers of 32 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_u32(key)

    def get_list_u64(self, key: str) -> list[int]:
        """Unsigned integers of 64 bits."""
        return self._integers(key, 64, signed=False)

    def get_list_u64_default(self, key: str, default: Sequence[int]) -> list[int]:
        """Unsigned integers of 64 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_u64(key)

    def get_list_f32(self, key: str) -> list[float]:
        """Numbers, rounded to what 32 bits hold."""
        numbers = self.get_list_f64(key)
        try:
            return [struct.unpack("<f", struct.pack("<f", number))[0] for number in numbers]
        except OverflowError:
            raise self._invalid(key, f"{key} list holds a number that does not fit 32 bits") from None

    def get_list_f32_default(self, key: str, default: Sequence[float]) -> list[float]:
        """Numbers of 32 bits, or the default."""
        return list(default) if self._find(key) is None else self.get_list_f32(key)

    def get_list_f64(self, key: str) -> list[float]:
        """Numbers."""
        try:
            return [parse_float(item) for item in self._items(key, " ")]
        except ValueError as error:
            raise self._invalid(key, f"{key} list: {error}") from None

    def get_list_f64_default(self, key: str, default: Sequence[float]) -> list[float]:
        """Numbers, or the default."""
        return list(default) if self._find(key) is None else self.get_list_f64(key)

    def get_list_bool(self, key: str) -> list[bool]:
        """Yes and no: `true` and `t` are true, every other item is false; an empty value is an empty list."""
        items = self._items(key, "'\" ")
        return [] if items == [""] else [item in ("true", "t") for item in items]

    def get_list_bool_default(self, key: str, default: Sequence[bool]) -> list[bool]:
        """Yes and no, or the default."""
        return list(default) if self._find(key) is None else self.get_list_bool(key)

    def _items(self, key: str, strip: str) -> list[str]:
        return [item.strip(strip) for item in self.get(key).strip("[] ").split(",")]

    def _integers(self, key: str, bits: int, *, signed: bool) -> list[int]:
        numbers: list[int] = []
        for item in self._items(key, " "):
            try:
                numbers.append(parse_int(item, bits, signed=signed))
            except ValueError:
                kind = "signed" if signed else "unsigned"
                message = f"{key} list entry {shorten(item)} is not a valid {kind} {bits}-bit integer"
                raise self._invalid(key, message) from None
        return numbers
