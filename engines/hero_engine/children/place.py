"""Where a script is: a few bytes of memory that a child writes, and that the engine reads when the child has died.

The child notes each action before it calls its handler. A message would wake the actor each time, which costs both more
than a short action. The engine makes the memory, one for each child, and clears it before each job; a child can neither
grow it nor see that of another child. Invariant: the engine believes nothing that it reads here beyond a text and a
number for an error message.
"""

from __future__ import annotations

import fcntl
import os

import orjson

_SIZE = 1024
_LENGTH_BYTES = 2
#: So that a text of any script fits, also if each character of it has six bytes as JSON.
_MAX_CHARS = 150
_NOWHERE = ("", 0)


def make_place() -> int:
    """Make the memory.

    Returns:
        Its descriptor, which programs do not inherit.

    Raises:
        OSError: There is no memory or no descriptor for it.
    """
    fd = os.memfd_create("hero-place", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, _SIZE)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(fd)
        raise
    return fd


def clear_place(fd: int) -> None:
    """Forget where the last script was."""
    os.pwrite(fd, bytes(_LENGTH_BYTES), 0)


def write_place(fd: int, action: str, line: int) -> None:
    """Note where the script is.

    Args:
        fd: Of the memory.
        action: Name of the action.
        line: Line in the script, from 1; 0 if it is not known.
    """
    text = orjson.dumps((action[:_MAX_CHARS], line))
    # In one call: a process that is killed has written all of it or nothing.
    os.pwrite(fd, len(text).to_bytes(_LENGTH_BYTES) + text, 0)


def read_place(fd: int) -> tuple[str, int]:
    """Read where the script was, after its process has ended.

    Returns:
        Action and line; "" and 0 if it had not begun, or if it has written something else.
    """
    data = os.pread(fd, _SIZE, 0)
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES])
    try:
        action, line = orjson.loads(data[_LENGTH_BYTES:end])
    except (ValueError, TypeError):
        return _NOWHERE
    return (action, line) if isinstance(action, str) and type(line) is int else _NOWHERE
