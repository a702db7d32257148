"""Scopes and the methods that need them, tokens and their holders, and the counting of refusals per peer. Pure.

The gate and the sessions use it. Invariants: tokens are kept only as hashes and compared in constant time; a method
that the table does not name needs the scope ``admin``.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hero_config.model.settings import TokenSettings
from hero_job.operations.credentials import StoredToken, token_hash

# Wrong attempts that cost nothing, and the pause that each further one costs. People type more slowly, and ten attempts
# per minute are too few to guess a token.
FREE_ATTEMPTS: Final = 10
ATTEMPT_EVERY_S: Final = 6.0
# Nonces are written to the store for everybody who asks: at first a hundred per address, then a hundred per minute.
FREE_NONCES: Final = 100
NONCE_EVERY_S: Final = 0.6
# Bounds the memory that an attacker with many addresses can take; the oldest addresses are forgotten.
MAX_PEERS: Final = 4096


class Scope(IntEnum):
    """What a client may do; each scope includes those before it."""

    NONE = 0  #: authenticate
    READ = 1  #: read everything
    USER = 2  #: create and run jobs, and stop, retry and delete its own
    ADMIN = 3  #: everything


_FOR_ALL: Final = frozenset({"authenticate", "fetch_nonce"})
_READ: Final = frozenset(
    {"health", "version", "stats", "whoami", "rpc.discover", "jobs.list", "job.status", "job.result", "job.logs"}
    | {"hero_subscribe", "hero_unsubscribe", "find_objects", "search_jobs", "explain_job"}
)
_READ_PREFIXES: Final = ("get_", "list_", "wait_")
# The output of an actor process may contain anything that scripts of all callers, and the host, have written.
_ADMIN: Final = frozenset({"get_actor_logs", "get_audit"})
_USER: Final = frozenset(
    {"create_job", "create_jobs", "start_job", "run_job", "run_jobs", "play", "stop_job", "retry_job", "delete_job"}
    | {"jobs.create", "job.run", "job.start", "job.stop", "job.delete"}
    | {"stop_jobs", "retry_jobs", "delete_jobs"}
    | {"new_object", "set_object", "delete_object", "change_object_rights"}
)


def needed_scope(method: str) -> Scope:
    """Return the scope that a method needs."""
    if method in _FOR_ALL:
        return Scope.NONE
    if method in _ADMIN:
        return Scope.ADMIN
    if method in _READ or method.startswith(_READ_PREFIXES):
        return Scope.READ
    return Scope.USER if method in _USER else Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The holder of a token.

    Attributes:
        name: Name that the operator gave it.
        scope: What it may do.
        sha256: Hash of its token, in hex.
        expires_s: When the token expires, in seconds since 1970; None for never.
    """

    name: str
    scope: Scope
    sha256: str = field(repr=False)
    expires_s: float | None = None

    def expired(self, now_s: float) -> bool:
        """Whether the token has expired."""
        return self.expires_s is not None and now_s >= self.expires_s


class Tokens:
    """The valid tokens: those of the configuration, and those of the store as they were last read.

    Args:
        settings: Hashes, names and scopes of the configured tokens.
    """

    def __init__(self, settings: Sequence[TokenSettings]) -> None:
        self._configured = tuple(
            Holder(name=token.name, scope=Scope[token.scope.upper()], sha256=token.sha256) for token in settings
        )
        self._all = self._configured

    def replace_stored(self, tokens: Sequence[StoredToken]) -> None:
        """Replace the tokens of the store by those that it has now."""
        stored = (
            Holder(name=token.name, scope=Scope[token.scope.upper()], sha256=token.sha256, expires_s=token.expires_s)
            for token in tokens
        )
        self._all = (*self._configured, *stored)

    def holder(self, token: str, now_s: float) -> Holder | None:
        """Find the holder of a token; None if it is not known or has expired.

        Args:
            token: Token that the client sent.
            now_s: Seconds since 1970.
        """
        given = token_hash(token)
        found = None
        for holder in self._all:  # without an early exit, which would make the time depend on the token
            if hmac.compare_digest(holder.sha256, given) and not holder.expired(now_s):
                found = holder
        return found

    def counts(self, holder: Holder, now_s: float) -> bool:
        """Whether the token of a holder is still valid."""
        return holder in self._all and not holder.expired(now_s)


class Attempts:
    """Counts refusals per peer: a leaky bucket, which each refusal fills and time empties."""

    def __init__(self, free: int = FREE_ATTEMPTS, every_s: float = ATTEMPT_EVERY_S) -> None:
        self._free = free
        self._every_s = every_s
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def blocked_s(self, peer: str, now: float) -> float:
        """Return the seconds until the peer may try again; 0 if it may now."""
        return max(0.0, self._empty_at.get(_network(peer), now) - now - (self._free - 1) * self._every_s)

    def count(self, peer: str, now: float) -> None:
        """Count a refusal.

        Args:
            peer: IP address or user.
            now: Monotonic time in seconds.
        """
        network = _network(peer)
        self._empty_at[network] = max(now, self._empty_at.get(network, now)) + self._every_s
        self._empty_at.move_to_end(network)
        if len(self._empty_at) > MAX_PEERS:
            self._empty_at.popitem(last=False)


def _network(peer: str) -> str:
    """Return the address, or for IPv6 its /64 network: one customer has a whole network of addresses."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)
