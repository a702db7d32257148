"""Checks the headers Origin and Host, which tell the user's own programs from web pages of other sites. Pure.

A browser lets every page send requests to this host, but the page cannot choose these two headers. ``Origin`` names the
site of the page. ``Host`` is the name by which the browser found this server: a site can point a name of its own at
127.0.0.1 (DNS rebinding), and its pages would then count as the same origin, so only known names are allowed. An IP
address cannot be pointed elsewhere and is always allowed.

Source: RFC 6454 (Origin), RFC 9110 section 7.2 (Host).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the headers of a request.

    Attributes:
        key: The setting that can allow it, "hosts" or "origins".
        value: The header that the client sent.
    """

    key: str
    value: str | None

    @property
    def text(self) -> str:
        """What the client is told."""
        what = {"hosts": "host name", "origins": "origin"}[self.key]
        where = f"the operator can list it in {self.key}, in section [rpc] of the configuration"
        return f"this {what} is not allowed; {where}"


def problem_of(
    host: str | None, origins: Sequence[str], names: Collection[str], allowed: Collection[str]
) -> Problem | None:
    """Check both headers.

    Args:
        host: The header Host.
        origins: All values of the header Origin.
        names: Allowed host names, see `host_allowed`.
        allowed: Allowed origins, see `origin_allowed`.

    Returns:
        What is wrong, or None.
    """
    if not host_allowed(host, names):
        return Problem("hosts", host)
    return None if origin_allowed(origins, host, allowed) else Problem("origins", ", ".join(origins))


def host_allowed(host: str | None, names: Collection[str]) -> bool:
    """Whether the port may be reached under this name.

    Args:
        host: Value of the header; None if the request has none.
        names: Allowed names besides localhost and IP addresses, in lower case.
    """
    name = _name_of(f"//{host}") if host else None
    return name is not None and (name == "localhost" or name in names or _is_address(name))


def origin_allowed(values: Sequence[str], host: str | None, origins: Collection[str]) -> bool:
    """Whether a page of this origin may use the port.

    Args:
        values: All values of the header; programs other than browsers send none.
        host: The header Host.
        origins: Allowed origins besides those of this host and of the port itself.
    """
    if not values:
        return True
    if len(values) > 1:
        return False
    origin = values[0].lower()
    if origin in origins:
        return True
    scheme, _, rest = origin.partition("://")
    if scheme not in {"http", "https"} or not rest:
        return False  # also "null", the origin of sandboxed frames and local files
    return _name_of(origin) in _LOCAL or (host is not None and rest == host.lower())


def _name_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname  # in lower case, without brackets


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
