"""The rules of all allow-lists: names and hosts by glob, paths by folder, and the error for what is not allowed.

The operator's settings hold the lists, and the actions for scripts call these functions before they touch the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path


def on_list(items: Iterable[str], *names: str) -> bool:
    """Check whether a list covers any of these names.

    Args:
        items: Names or globs.
        names: The forms in which the same thing may be listed.
    """
    return any(fnmatchcase(name, item) for item in items for name in names)


def host_allowed(items: Iterable[str], host: str, port: int, default_port: int) -> bool:
    """Check whether a list covers a host.

    Args:
        items: Each one is `host` or `host:port`, globs allowed. Without a port it means the default port; `:*` means
            any port. An IPv6 address is written in brackets.
        host: Name or address, in lower case, without brackets.
        port: The port to connect to.
        default_port: The port of an item without one.
    """
    shown = f"[{host}]" if ":" in host else host
    for item in items:
        wanted_host, wanted_port = split_port(item)
        right_port = port == default_port if wanted_port is None else fnmatchcase(str(port), wanted_port)
        # Compared literally first, because a glob would read the brackets of an IPv6 address as a character class.
        if right_port and (shown == wanted_host.lower() or fnmatchcase(shown, wanted_host.lower())):
            return True
    return False


def split_port(text: str) -> tuple[str, str | None]:
    """Split `host:port`; the host may be an IPv6 address in brackets. The port is None if there is none."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        return text, None
    return host, port


def inside(root: Path, path: str) -> Path:
    """Resolve a path that must be in a folder.

    Args:
        root: The folder, without symbolic links.
        path: Relative to the folder, or absolute.

    Returns:
        The path, without symbolic links.

    Raises:
        PermissionError: The path is outside the folder.
    """
    whole = (root / path).resolve()
    if not whole.is_relative_to(root):
        raise PermissionError(f"{path} is outside of {root}")
    return whole


def not_allowed(what: str, variable: str, allowed: Iterable[str] | None = None) -> PermissionError:
    """Make the error for something that the operator has not allowed.

    Args:
        what: What the script wanted.
        variable: The setting that could allow it.
        allowed: What the setting allows; None if it is a switch, or a folder, that is not set.
    """
    if allowed is None:
        return PermissionError(f"{what} is not allowed here: {variable} is not set")
    return PermissionError(f"{what} is not allowed here; {variable} allows: {', '.join(allowed) or 'nothing'}")
