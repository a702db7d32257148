"""Takes the password of a URL out of the command line of this process, which every user of the machine can read.

The programs call this first. Invariant: afterwards no argument holds a URL with a password; the URL is in the
environment, which only the same user and root can read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

_PASSWORD = re.compile(r"[\w+]://[^/\s:]*+:[^/\s]+@|[?&]sentinel_password=", re.IGNORECASE)


def move_secret_to_environment(variable: str, *, option: str = "--redis-url", key: str = "") -> None:
    """Run this program again without the option, if it holds a password, and with the variable instead.

    The process keeps its id, its descriptors and its place under its supervisor. Returns if there is nothing to hide.

    Args:
        variable: Environment variable that means the same to this program.
        option: The option whose value may hold a password, as `OPTION VALUE` or `OPTION=VALUE`.
        key: The setting that `--set KEY=VALUE` may set to the same; "" for none.
    """
    rest, url = without_secret(sys.orig_argv[1:], option, key)
    if url is not None:
        os.environ[variable] = url
        os.execv(sys.executable, [sys.executable, *rest])


def without_secret(arguments: Sequence[str], option: str, key: str = "") -> tuple[list[str], str | None]:
    """Leave out an option whose value holds a password.

    Args:
        arguments: A command line.
        option: The option.
        key: As in `move_secret_to_environment`.

    Returns:
        The other arguments, and the last value that was left out; None if there was none.
    """
    rest: list[str] = []
    url: str | None = None
    at = 0
    while at < len(arguments):
        words = [arguments[at]]
        name, equals, value = words[0].partition("=")
        if name in (option, "--set") and not equals and at + 1 < len(arguments):
            words.append(arguments[at + 1])
            value = words[1]
        if name == "--set":
            name, _, value = value.partition("=")
        at += len(words)
        if name in (option, key or option) and _PASSWORD.search(value):
            url = value
        else:
            rest += words
    return rest, url
