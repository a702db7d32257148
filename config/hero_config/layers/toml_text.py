"""Reads TOML text, with one kind of error for all text that cannot be used.

Pure. Called for files, variables, flags, and the profiles of heroctl. Invariant: what it returns is nested so little
that it can be walked by recursion.
"""

from __future__ import annotations

from typing import Any, Final

#: Deepest nesting of tables and lists. No setting needs more than six.
MAX_DEPTH: Final = 50
#: Longest whole number. Hexadecimal ones may be longer than what Python writes as a decimal number.
_MAX_BITS: Final = 1000


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    Args:
        text: The text; it may begin with a byte order mark, which some editors write.

    Returns:
        The table.

    Raises:
        tomllib.TOMLDecodeError: It is not TOML, is nested too deeply, or has a number that is too long.
    """
    import tomllib  # an actor, or a command that is told its store, reads no file

    too_long = "A number has too many digits"
    too_deep = f"Tables and lists are nested more than {MAX_DEPTH} deep"
    try:
        values = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError(too_deep) from None
    except ValueError:  # Python reads decimal numbers of 4300 digits at most
        raise tomllib.TOMLDecodeError(too_long) from None
    level: list[Any] = [values]
    for _ in range(MAX_DEPTH):
        if any(isinstance(value, int) and value.bit_length() > _MAX_BITS for value in level):
            raise tomllib.TOMLDecodeError(too_long)
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return values
    raise tomllib.TOMLDecodeError(too_deep)
