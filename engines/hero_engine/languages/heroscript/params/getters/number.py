"""Getters of numbers, percentages, yes or no, capacities and money. `Params` inherits them.

Source: HeroScript specification, section 9.
"""

from __future__ import annotations

from functools import partial

from hero_engine.languages.heroscript.params.money import Amount, parse_amount
from hero_engine.languages.heroscript.params.param_store import ParamStore
from hero_engine.languages.heroscript.params.sizes import GIGABYTE, UnitError, parse_bytes
from hero_engine.languages.heroscript.text.diagnostic import shorten
from hero_engine.languages.heroscript.text.names import name_fix_no_underscore
from hero_engine.languages.heroscript.text.numbers import parse_float, parse_int, parse_percent

_YES = frozenset(("", "1", "true", "y", "yes"))
_NO = frozenset(("", "0", "false", "n", "no"))


class NumberGetters(ParamStore):
    """Every getter raises `ParamError` if the key is missing or the value is invalid.

    A `_default` form returns its default only if the key is missing.
    """

    __slots__ = ()

    def get_int(self, key: str) -> int:
        """A signed integer of 32 bits."""
        return self._integer(key, 32, signed=True)

    def get_int_default(self, key: str, default: int) -> int:
        """A signed integer of 32 bits, or the default."""
        return default if self._find(key) is None else self.get_int(key)

    def get_u8(self, key: str) -> int:
        """An unsigned integer of 8 bits."""
        return self._integer(key, 8, signed=False)

    def get_u8_default(self, key: str, default: int) -> int:
        """An unsigned integer of 8 bits, or the default."""
        return default if self._find(key) is None else self.get_u8(key)

    def get_u32(self, key: str) -> int:
        """An unsigned integer of 32 bits."""
        return self._integer(key, 32, signed=False)

    def get_u32_default(self, key: str, default: int) -> int:
        """An unsigned integer of 32 bits, or the default."""
        return default if self._find(key) is None else self.get_u32(key)

    def get_u64(self, key: str) -> int:
        """An unsigned integer of 64 bits."""
        return self._integer(key, 64, signed=False)

    def get_u64_default(self, key: str, default: int) -> int:
        """An unsigned integer of 64 bits, or the default."""
        return default if self._find(key) is None else self.get_u64(key)

    def get_float(self, key: str) -> float:
        """A number; a `%` anywhere in it divides it by 100."""
        value = self.get(key)
        return self._parse(key, value, parse_percent, _no_float(key, value))

    def get_float_default(self, key: str, default: float) -> float:
        """A number, or the default."""
        return default if self._find(key) is None else self.get_float(key)

    def get_percentage(self, key: str) -> float:
        """A percentage from 0 to 100, with or without `%`, as a fraction from 0 to 1."""
        return self._percentage(key, self.get(key))

    def get_percentage_default(self, key: str, default: str) -> float:
        """A percentage as a fraction. The default is a text and is parsed in the same way."""
        return self._percentage(key, self.get_default(key, default))

    def get_default_true(self, key: str) -> bool:
        """True if missing, empty, `1`, `true`, `y` or `yes`; otherwise false [Q33]. It never raises."""
        value = self._find(key)
        return value is None or name_fix_no_underscore(value) in _YES

    def get_default_false(self, key: str) -> bool:
        """False if missing, empty, `0`, `false`, `n` or `no`; otherwise true [Q33]. It never raises."""
        value = self._find(key)
        return value is not None and name_fix_no_underscore(value) not in _NO

    def get_storagecapacity_in_bytes(self, key: str) -> int:
        """A capacity such as `10GB`, in bytes; without a unit it is in bytes."""
        return self._capacity(key, 1)

    def get_storagecapacity_in_gigabytes(self, key: str) -> int:
        """A capacity in gigabytes, rounded up; without a unit it is in gigabytes."""
        return -(-self._capacity(key, GIGABYTE) // GIGABYTE)

    def get_currencyamount(self, key: str) -> Amount:
        """An amount of money [Q40]."""
        return self._parse(key, self.get(key), parse_amount)

    def get_currencyamount_default(self, key: str, default: str) -> Amount:
        """An amount of money. The default is a text and is parsed in the same way."""
        return self._parse(key, self.get_default(key, default), parse_amount)

    def _integer(self, key: str, bits: int, *, signed: bool) -> int:
        value = self.get(key)
        kind = "signed" if signed else "unsigned"
        message = f"Parameter {key} = {shorten(value)} is not a valid {kind} {bits}-bit integer"
        return self._parse(key, value, partial(parse_int, bits=bits, signed=signed), message)

    def _percentage(self, key: str, value: str) -> float:
        number = self._parse(key, value.replace("%", ""), parse_float, _no_float(key, value))
        if not 0 <= number <= 100:
            raise self._invalid(key, f'percentage "{shorten(value)}" needs to be between 0 and 100')
        return number / 100

    def _capacity(self, key: str, default_unit: int) -> int:
        value = self.get(key)
        try:
            return parse_bytes(value, default_unit=default_unit)
        except UnitError as error:
            raise self._invalid(key, f"Parameter {key} = {shorten(value)} is {error}") from None
        except ValueError:
            message = f"Parameter {key} = {shorten(value)} does not include a valid unsigned 64-bit integer"
            raise self._invalid(key, message) from None


def _no_float(key: str, value: str) -> str:
    return f"Parameter {key} = {shorten(value)} is not a valid 64-bit float"
