"""What is allowed, by one rule for all families of actions: hosts by list, paths by folder."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path


def host_allowed(items: Iterable[str], host: str, port: int, default_port: int) -> bool:
    """Is a host on a list?

    Args:
        items: `host` or `host:port` each, globs allowed; without a port the default one is meant, `:*` is any. An
            IPv6 address stands in brackets.
        host: Name or address, lower case, without brackets.
        port: Where to.
        default_port: The port of an item without one.
    """
    shown = f"[{host}]" if ":" in host else host
    for item in items:
        wanted_host, wanted_port = split_port(item)
        right_port = port == default_port if wanted_port is None else fnmatchcase(str(port), wanted_port)
        # Compared as they are first: the brackets of an IPv6 address are those of a glob too.
        if right_port and (shown == wanted_host.lower() or fnmatchcase(shown, wanted_host.lower())):
            return True
    return False


def split_port(text: str) -> tuple[str, str | None]:
    """Split `host:port`, whose host may be an IPv6 address in brackets; None without a port."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        return text, None
    return host, port


def inside(root: Path, path: str) -> Path:
    """Resolve a path below a folder.

    Args:
        root: The folder, without links.
        path: Relative to it, or absolute.

    Raises:
        PermissionError: It is outside.
    """
    whole = (root / path).resolve()
    if not whole.is_relative_to(root):
        raise PermissionError(f"{path} is outside of {root}")
    return whole
