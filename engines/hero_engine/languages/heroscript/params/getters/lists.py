"""Getters of lists: texts, names, numbers, and yes or no. `Params` inherits them.

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
    """Every getter raises `ParamError` if the key is missing or an item is invalid.

    A `_default` form returns its default only if the key is missing. An invalid value is an error there too, which the
    reference ignores [Q35]. Brackets around a list are always accepted [Q34].
    """

    __slots__ = ()

    def get_list(self, key: str) -> list[str]:
        """Items between commas, without quotes and spaces. Empty items are dropped."""
        return [item for item in self._items(key, "'\" ") if item]

    def get_list_default(self, key: str, default: Sequence[str]) -> list[str]:
        """Items between commas, or the default."""
        return list(default) if self._find(key) is None else self.get_list(key)

    def get_list_namefix(self, key: str) -> list[str]:
        """Items between commas, each as `name_fix` makes it."""
        return [name_fix(item) for item in self.get_list(key)]

    def get_list_namefix_default(self, key: str, default: Sequence[str]) -> list[str]:
        """Items between commas, or the default, each as `name_fix` makes it."""
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
        """Numbers, rounded to 32-bit floats."""
        numbers = self.get_list_f64(key)
        try:
            return [struct.unpack("<f", struct.pack("<f", number))[0] for number in numbers]
        except OverflowError:
            raise self._invalid(key, f"{key} list holds a number that does not fit 32 bits") from None

    def get_list_f32_default(self, key: str, default: Sequence[float]) -> list[float]:
        """Numbers, rounded to 32-bit floats, or the default."""
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
        """Yes or no: `true` and `t` mean yes, any other item means no. An empty value is an empty list."""
        items = self._items(key, "'\" ")
        return [] if items == [""] else [item in ("true", "t") for item in items]

    def get_list_bool_default(self, key: str, default: Sequence[bool]) -> list[bool]:
        """Yes or no, or the default."""
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
