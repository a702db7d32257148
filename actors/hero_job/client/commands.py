"""Encodes commands for a server. Pure.

`connection.py` and `sharing/command_groups.py` call it. Invariant: what a store was read with is written as the same
bytes, also those that are not UTF-8, so a name that another program chose can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import hiredis


def pack(command: tuple[Any, ...]) -> bytes:
    """Encode a command.

    Args:
        command: Its name and its arguments: text, bytes, numbers.

    Raises:
        UnicodeEncodeError: A text has half of a surrogate pair, which no bytes stand for.
    """
    try:
        packed: bytes = hiredis.pack_command(command)
    except UnicodeEncodeError:
        packed = hiredis.pack_command(tuple(_encoded(command)))
    return packed


def _encoded(command: tuple[Any, ...]) -> Iterable[Any]:
    for part in command:
        yield part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
