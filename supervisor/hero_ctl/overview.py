"""The help of `heroctl` and of its groups: which commands there are. It imports neither a command nor Typer.

`cli.py` calls it first. The help of a command itself is Typer's, because only Typer knows how its options are shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from hero_ctl.command_table import ABOUT, COMMANDS, GROUPS, PANELS, VERSION_HELP
from hero_ctl.exits import HELP, CtlExitCode

_NO_GROUP = ""
_HELP_WORDS = ("-h", "--help")
#: Longer lines are hard to read.
_MOST_COLUMNS = 100


def print_overview(words: Sequence[str]) -> bool:
    """Print the help of `heroctl`, or of a group, if that is what is asked for.

    Args:
        words: The arguments of the process.

    Returns:
        Whether it was. Without any word, the process ends as after wrong usage.
    """
    asked = bool(words) and words[-1] in _HELP_WORDS
    name = " ".join(words[:-1] if asked else words)
    # `heroctl actors` lists them, and has options.
    if (name != _NO_GROUP and name not in GROUPS) or name == "actors":
        return False
    import shutil  # every command asks here first, and few need these libraries of Python

    width = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    sys.stdout.write("\n".join(_lines(name, width)) + "\n")
    if not asked:
        sys.stdout.flush()
        sys.exit(CtlExitCode.USAGE)
    return True


def _lines(group: str, width: int) -> Iterator[str]:
    import textwrap

    yield f"Usage: heroctl {group + ' ' if group else ''}COMMAND [OPTIONS] [ARGS]..."
    yield ""
    yield from textwrap.wrap(GROUPS[group][0] if group else ABOUT, width)
    own = list_names(group)
    names = max(len(name) for _, name, _ in own)
    for panel in PANELS if group == _NO_GROUP else (None,):
        yield ""
        yield _strong(panel or "Commands")
        for of_panel, name, summary in own:
            if of_panel == panel:
                yield from textwrap.wrap(
                    summary, width, initial_indent=f"  {name:<{names}}  ", subsequent_indent=" " * (names + 4)
                )
    yield ""
    yield _strong("Options")
    if not group:
        yield f"  {'--version':<{names}}  {VERSION_HELP}"
    yield f"  {'-h, --help':<{names}}  Print this; after a command, its options and examples."
    yield ""
    yield from textwrap.wrap(HELP, width)


def list_names(group: str) -> list[tuple[str | None, str, str]]:
    """List the commands and groups of a group, "" for that of all: heading, name, and what it does."""
    prefix = f"{group} " if group else ""
    found: list[tuple[str | None, str, str]] = []
    for row in COMMANDS:
        for path in row.paths:
            rest = path.removeprefix(prefix)
            if path.startswith(prefix) and " " not in rest:
                found.append((None if group else row.panel, rest, row.summary))
    for name, (about, panel) in GROUPS.items():
        parent, _, own = name.rpartition(" ")
        if parent == group:
            found.append((None if group else panel, own, about))
    return found


def _strong(heading: str) -> str:
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return f"\x1b[1m{heading}:\x1b[0m"
    return f"{heading}:"
