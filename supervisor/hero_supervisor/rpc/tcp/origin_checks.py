"""Which pages and which names may be used to reach the TCP port: the headers Origin and Host. Pure.

A browser lets any page send requests to this machine; two headers that the page cannot choose tell them from the
user's own programs. ``Origin`` says which site the page is from. ``Host`` says under which name the browser found us: a
site can point a name of its own at 127.0.0.1 (DNS rebinding) and would then count as the same origin, so names must be
known. An IP address is no name and cannot be pointed anywhere.

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
    """What is wrong with a request's headers.

    Attributes:
        key: The setting that allows more.
        value: What the client sent.
    """

    key: str
    value: str | None

    @property
    def text(self) -> str:
        """What to tell the client."""
        what = {"hosts": "host name", "origins": "origin"}[self.key]
        where = f"the operator can list it in {self.key}, in the section [rpc] of the configuration"
        return f"this {what} is not allowed; {where}"


def problem_of(
    host: str | None, origins: Sequence[str], names: Collection[str], allowed: Collection[str]
) -> Problem | None:
    """Look at both headers.

    Args:
        host: The header Host.
        origins: All values of the header Origin.
        names: Allowed host names, see `host_allowed`.
        allowed: Allowed origins, see `origin_allowed`.
    """
    if not host_allowed(host, names):
        return Problem("hosts", host)
    return None if origin_allowed(origins, host, allowed) else Problem("origins", ", ".join(origins))


def host_allowed(host: str | None, names: Collection[str]) -> bool:
    """May the port be reached under this name?

    Args:
        host: The header's value; None when there is none.
        names: Allowed ones besides localhost and IP addresses, in lower case.
    """
    name = _name_of(f"//{host}") if host else None
    return name is not None and (name == "localhost" or name in names or _is_address(name))


def origin_allowed(values: Sequence[str], host: str | None, origins: Collection[str]) -> bool:
    """May a page of this origin use the port?

    Args:
        values: All values of the header; none when no browser asks.
        host: The header Host.
        origins: Allowed ones besides those of this machine and of the port itself.
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
        return False  # "null" too, the origin of sandboxed frames and local files
    return _name_of(origin) in _LOCAL or (host is not None and rest == host.lower())


def _name_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number
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
