"""What an operator reads when the configuration is wrong.

Owned here: the error of this package and its wording. Raised by `load.py` alone; programs print it and exit with
code 2. What is legal but odd is told in the same form. Invariant: a secret never appears in a message, not even that of
a key which has been misspelt.
"""

from __future__ import annotations

from dataclasses import dataclass

from hero_config.layers.lines import Path as KeyPath
from hero_config.layers.secrets import without_secrets

_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing wrong with the configuration.

    Attributes:
        source: Path of the file, or the name of the environment variable or flag.
        expected: What is wrong and what would have been right.
        key: Dotted path of the key (`actors.0.count`); empty when the file as a whole is wrong.
        line: Line in the file, counted from 1, where it could be found.
        value: The value as it was given, secrets hidden; empty when there is none.
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
        problems: Every problem that was found, in the order of the file.
    """

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        """Keep the problems and join them, one a line."""
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def shown(value: object, path: KeyPath = ()) -> str:
    """How a value appears in a message: short, and with its secrets hidden.

    Args:
        value: Anything that TOML can hold.
        path: Where it stands: a secret may be told by its name.

    Returns:
        Its representation, 80 characters at most.
    """
    text = repr(without_secrets(path, value))
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
