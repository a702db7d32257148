"""The options that most commands share, as words of a command line: they may stand before the command as well as after.

`cli.py` and the completion of shells call it before anything reads the options. It imports nothing of heroctl but the
names of the commands. Invariant: a word that belongs to another option, or comes after `--`, stays where it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Final

from hero_ctl.command_table import find_command

#: Shared options that take a value. A test compares these with the groups of options in `options.py`.
WITH_VALUE: Final = (
    "--server", "--profile", "--ca-file", "--cert-file", "--key-file", "--config", "--redis-url", "--namespace",
    "--socket", "--output", "-o",
)  # fmt: skip
#: Shared options that take none.
WITHOUT_VALUE: Final = ("--json", "--verbose", "-v", "--quiet", "-q")
_SERVERS: Final = {"--server": "HERO_SERVER", "--profile": "HERO_PROFILE"}
_OWN: Final = {"--redis-url": "HERO_REDIS_URL", "--socket": "HERO_SOCKET"}


def after_command(words: Sequence[str]) -> list[str]:
    """Move shared options from before the command to after it.

    Args:
        words: The arguments of the process.

    Returns:
        The same words in the order in which commands read them. Without a command, the options are left out.
    """
    taken = count_leading(words)
    leading, rest = list(words[:taken]), list(words[taken:])
    if not leading:
        return rest
    found = find_command(rest)
    if found is None:
        return rest
    names = len(rest) - len(found[1])
    return [*rest[:names], *leading, *rest[names:]]


def awaits_value(words: Sequence[str]) -> str | None:
    """The shared option before the command that the next word is the value of; None if there is none."""
    last = words[-1] if words else ""
    return last if last in WITH_VALUE and count_leading(words) == len(words) - 1 else None


def shared_values(words: Sequence[str]) -> dict[str, str]:
    """Find the values of shared options, wherever they stand; the last of each."""
    return {name: value for name, value in _values(words) if value is not None}


def let_options_win(words: Sequence[str], environ: MutableMapping[str, str] | None = None) -> None:
    """Forget variables that name a store, a socket or a server if an option names another one of these.

    This comes before the password of a URL moves from the command line to the environment.

    Args:
        words: The arguments of the process.
        environ: Environment variables; `os.environ` if None.
    """
    environ = os.environ if environ is None else environ
    given = {name for name, _ in _values(words)}
    for chosen, others in ((_SERVERS, _OWN), (_OWN, _SERVERS)):
        if given & chosen.keys():
            for option, variable in others.items():
                if option not in given:
                    environ.pop(variable, None)


def count_leading(words: Sequence[str]) -> int:
    """How many words before the command belong to shared options."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in WITH_VALUE and at + 1 < len(words):
            at += 2
        elif word in WITHOUT_VALUE or _has_value(word):
            at += 1
        else:
            break
    return at


def _has_value(word: str) -> bool:
    """Whether a word is an option with its value: `--output=json`, `-ojson`."""
    name, equals, _ = word.partition("=")
    return (bool(equals) and name in WITH_VALUE and name.startswith("--")) or (word.startswith("-o") and len(word) > 2)


def _values(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The options of a command line up to `--`, each with the value that it would have if it takes one."""
    end = list(words).index("--") if "--" in words else len(words)
    for at, word in enumerate(words[:end]):
        name, equals, value = word.partition("=")
        if name in WITH_VALUE and name.startswith("--"):
            yield name, value if equals else words[at + 1] if at + 1 < end else None
