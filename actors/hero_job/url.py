"""Store URLs: `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix://[user[:password]@]/path[?db=N]`.

Pure. Source: the URL forms of redis-py, so that one URL serves the synchronous and the asyncio client alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

from hero_job.errors import StoreUrlInvalid

_OPTIONS = frozenset({"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """A parsed store URL.

    Attributes:
        text: The URL as given.
        shown: The URL with its password hidden, for messages and logs.
        path: Path of a Unix socket, or None for TCP.
        host: Host name or address.
        port: TCP port.
        tls: Speak TLS.
        username: ACL user, or None.
        password: Password, or None.
        db: Database number.
        options: The `ssl_...` options of the query.
    """

    text: str
    shown: str
    path: str | None
    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None
    db: int
    options: Mapping[str, str]


def parse_url(text: str) -> StoreUrl:
    """Read a store URL.

    Raises:
        StoreUrlInvalid: Wrong scheme, port, database or option.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as e:
        raise StoreUrlInvalid("(unreadable)", str(e)) from e
    shown = text
    if parts.password is not None:
        shown = text.replace(f":{parts.password}@", ":***@", 1)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise StoreUrlInvalid(shown, "must begin with redis://, rediss:// or unix://")
    options = dict(parse_qsl(parts.query))
    for name in options:
        if name not in _OPTIONS:
            raise StoreUrlInvalid(shown, f"unknown option '{name}'; known are {', '.join(sorted(_OPTIONS))}")
    unix = parts.scheme == "unix"
    if unix and not parts.path:
        raise StoreUrlInvalid(shown, "names no path: unix:///path/to/socket")
    db_text = options.pop("db", "") or ("" if unix else parts.path.strip("/")) or "0"
    if not db_text.isdecimal():
        raise StoreUrlInvalid(shown, f"database must be a number, not '{db_text}'")
    return StoreUrl(
        text=text,
        shown=shown,
        path=unquote(parts.path) if unix else None,
        host=parts.hostname or "127.0.0.1",
        port=port or 6379,
        tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        db=int(db_text),
        options=MappingProxyType(options),
    )
