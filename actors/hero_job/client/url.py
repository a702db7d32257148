"""Parses the URL of a store. Pure; both stores call it. A password never appears in a message.

| form | means |
|---|---|
| `redis://[user[:password]@]host[:port][/db]` | one server |
| `rediss://...` | the same over TLS, with `?ssl_ca_certs=`, `ssl_certfile=`, `ssl_keyfile=`, `ssl_cert_reqs=none` |
| `unix:///path/to/socket[?db=N]` | one server on its Unix socket; with two slashes the path is relative |
| `redis+sentinel://[user[:password]@]host[:port],host[:port].../service[/db]` | the master that sentinels name |
| `redis+cluster://[user[:password]@]host[:port],host[:port]...` | the node of a cluster that has the namespace's slot |

Each also takes `?wait_replicas=N`: what acknowledges a job or a result waits until N replicas have it.
`rediss+sentinel` and `rediss+cluster` are the same over TLS. Source: redis-py, for the first three forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

from hero_job.model.errors import StoreUrlInvalid

Address = tuple[str, int]

_OPTIONS = frozenset(
    {
        "db",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_cert_reqs",
        "ssl_check_hostname",
        "sentinel_username",
        "sentinel_password",
        "wait_replicas",
    }
)
_MOST_REPLICAS = 16

_ENCODE = "has a character that must be percent-encoded in a password: # is %23, / %2F, ? %3F, @ %40, % %25"

_PLACE = "must have HOST or HOST:PORT, with a port from 0 to 65535, behind the password and its @"


class Mode(StrEnum):
    """How the server is found."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES = {
    "redis": (Mode.SINGLE, False),
    "rediss": (Mode.SINGLE, True),
    "unix": (Mode.SINGLE, False),
    "redis+sentinel": (Mode.SENTINEL, False),
    "rediss+sentinel": (Mode.SENTINEL, True),
    "redis+cluster": (Mode.CLUSTER, False),
    "rediss+cluster": (Mode.CLUSTER, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """A parsed store URL.

    Attributes:
        text: The URL as given.
        shown: The URL with its passwords hidden, for messages and logs.
        mode: How the server is found.
        path: Path of a Unix socket, or None for TCP.
        hosts: The server, the sentinels, or nodes of the cluster; empty for a Unix socket.
        service: The sentinels' name of the server; "" without sentinels.
        tls: Whether to use TLS.
        username: ACL user; None for the default user.
        password: Password; None for no login.
        db: Database number.
        options: The `ssl_...` and `sentinel_...` options of the query.
        wait_replicas: How many replicas must have what is acknowledged.
    """

    text: str
    shown: str
    mode: Mode
    path: str | None
    hosts: tuple[Address, ...]
    service: str
    tls: bool
    username: str | None
    password: str | None
    db: int
    options: Mapping[str, str]
    wait_replicas: int = 0


def parse_url(text: str) -> StoreUrl:
    """Parse a store URL.

    Args:
        text: The URL.

    Raises:
        StoreUrlInvalid: The scheme, host, port, database or an option is invalid.
    """
    scheme = text.partition("://")[0] if "://" in text else ""
    if scheme not in _SCHEMES:
        shown = text if re.fullmatch(r"[a-zA-Z0-9.+-]+(://[a-zA-Z0-9.-]*|:\d+)?", text) else "..."
        raise StoreUrlInvalid(shown, f"must begin with one of {', '.join(f'{s}://' for s in _SCHEMES)}")
    # What is wrong may be the password, so nothing of such a URL is shown.
    shown = f"{scheme}://..."
    if (problem := _problem_of(text)) is not None:
        raise StoreUrlInvalid(shown, problem)
    try:
        parts = urlsplit(text)
    except ValueError as e:  # brackets that are not those of an IPv6 address
        raise StoreUrlInvalid(shown, _PLACE) from e
    identity, _, places = parts.netloc.rpartition("@")
    user, colon, password = identity.partition(":")
    options = dict(parse_qsl(parts.query))
    mode, tls = _SCHEMES[scheme]
    for name in options:
        if name not in _OPTIONS:
            known = ", ".join(sorted(_OPTIONS))
            raise StoreUrlInvalid(shown, f"unknown option '{name:.40}'; known are {known}")
    unix = parts.scheme == "unix"
    if unix and not places + parts.path:
        raise StoreUrlInvalid(shown, "names no path: unix:///path/to/socket")
    path = "" if unix else parts.path.strip("/")
    service = ""
    if mode is Mode.SENTINEL:
        service, _, path = path.partition("/")
        if not service:
            raise StoreUrlInvalid(shown, "names no service: redis+sentinel://host,host/service")
    db_text = options.pop("db", "") or path or "0"
    if not db_text.isdecimal():
        raise StoreUrlInvalid(shown, "database must be a number")
    if mode is Mode.CLUSTER and db_text != "0":
        raise StoreUrlInvalid(shown, "a cluster has no databases")
    shown = text.replace(f"{identity}@", f"{user}:***@" if colon else f"{user}@", 1) if password else text
    if "sentinel_password" in options:
        shown = shown.partition("?")[0] + "?..."
    replicas = options.pop("wait_replicas", "0")
    if not replicas.isdecimal() or int(replicas) > _MOST_REPLICAS:
        raise StoreUrlInvalid(shown, f"wait_replicas must be a number up to {_MOST_REPLICAS}")
    default_port = 26379 if mode is Mode.SENTINEL else 6379
    return StoreUrl(
        text=text,
        shown=shown,
        mode=mode,
        path=unquote(places + parts.path) if unix else None,
        hosts=() if unix else tuple(_address(place, default_port, f"{scheme}://...") for place in places.split(",")),
        service=unquote(service),
        tls=tls,
        username=unquote(user) or None,
        password=unquote(password) if colon else None,
        db=int(db_text),
        options=MappingProxyType(options),
        wait_replicas=int(replicas),
    )


def _problem_of(text: str) -> str | None:
    """Say why a URL can be misread, without any part of it. `hero_config/model/urls.py` does the same for settings."""
    scheme, _, rest = text.partition("://")
    if any(c.isspace() or not c.isprintable() for c in rest):
        return "has white space or a control character, which must be percent-encoded: a blank is %20"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    identity = authority.rpartition("@")[0]
    is_path = scheme == "unix" and not authority
    misread = "@" in rest[len(authority) :] and not is_path
    if "#" in rest or misread or re.search(r"[\[\]]|%(?![0-9A-Fa-f]{2})", identity):
        return _ENCODE
    return None


def with_wait_replicas(text: str, replicas: int) -> str:
    """Add `wait_replicas` to a URL, unless it has one or it is 0."""
    if not replicas or "wait_replicas=" in text:
        return text
    return f"{text}{'&' if '?' in text else '?'}wait_replicas={replicas}"


def _address(place: str, default_port: int, shown: str) -> Address:
    try:
        parts = urlsplit(f"//{place}")
        return parts.hostname or "127.0.0.1", parts.port or default_port
    except ValueError as e:
        # The port may be the end of a password, without a host behind it.
        raise StoreUrlInvalid(shown, _PLACE) from e
