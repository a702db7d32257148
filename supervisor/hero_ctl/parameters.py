"""How commands declare their options and arguments, without the library that shows them.

`Annotated[int, Option("--limit", min=0)]` has the words and settings of Typer. `option_groups.py` hands them to Typer
for help, completion and messages about wrong usage; `quick_words.py` reads a right command line without it, because its
import takes longer than most commands. So nothing in `commands/` imports Typer.
"""

from __future__ import annotations

from typing import Any


class Declared:
    """What is said about one option or argument of a command.

    Args:
        words: What the user types, such as `--limit` and `-n`; for an option only.
        settings: The keyword arguments of `typer.Option` or `typer.Argument`.
    """

    __slots__ = ("settings", "words")

    def __init__(self, *words: str, **settings: Any) -> None:
        self.words = words
        self.settings = settings


class Option(Declared):
    """An option."""

    __slots__ = ()


class Argument(Declared):
    """An argument."""

    __slots__ = ()
