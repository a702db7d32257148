"""The messages that an operator reads when the configuration is wrong.

Owns the error of this package and its wording. Only `load.py` raises it; programs print it and exit with code 2.
Warnings have the same form. Invariant: no message contains a secret, not even under a misspelt key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hero_config.layers.key_paths import KeyPath
from hero_config.layers.secrets import without_secrets

_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing wrong with the configuration.

    Attributes:
        source: Path of the file, or the name of the environment variable or flag.
        expected: What is wrong, and what would be right.
        key: Dotted path of the key (`actors.0.count`); empty if the whole file is wrong.
        line: Line in the file, from 1; None if it was not found.
        value: The given value without its secrets; empty if there is none.
        nearest: The valid key nearest to an unknown one.
    """

    source: str
    expected: str
    key: str = ""
    line: int | None = None
    value: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        """`file:line: key = value: expected (did you mean 'key'?)`."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        subject = f"{self.key} = {self.value}" if self.key and self.value else self.key
        hint = f" (did you mean {self.nearest!r}?)" if self.nearest else ""
        return ": ".join(part for part in (place, subject, self.expected) if part) + hint


class ConfigError(Exception):
    """The configuration is wrong.

    Attributes:
        problems: Every problem that was found, in the order of the layers and lines.
    """

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        """Keep the problems; the message has one per line."""
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def display(value: object, path: KeyPath = ()) -> str:
    """Write a value for a message: short, and without its secrets.

    Args:
        value: Anything that TOML can hold.
        path: The key of the value, whose name may mark it as a secret.

    Returns:
        The value as TOML writes it, at most 80 characters.
    """
    text = _as_toml(without_secrets(path, value))
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _as_toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            pairs = ", ".join(f"{name} = {_as_toml(item)}" for name, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_as_toml, value))}]"
        case int() | float() | str():
            return repr(value)
    return str(value)  # a date or a time
