"""Who may do what: tokens, scopes, the table of methods, and how often somebody may be wrong. Pure.

Called by ``auth_session``. Invariants: a token exists here only as its hash; how long a look at a token takes does not
depend on which one it is like; what the table does not name only an administrator may call.
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

# Wrong attempts that are free, and the pause that each further one costs: nobody types that fast, and ten a minute are
# no way to guess.
FREE_ATTEMPTS: Final = 10
ATTEMPT_EVERY_S: Final = 6.0
# Nonces are written to the store for anybody who asks: a hundred of an address, and as many a minute.
FREE_NONCES: Final = 100
NONCE_EVERY_S: Final = 0.6
# An attacker with many addresses makes us forget some, never remember all.
MAX_PEERS: Final = 4096


class Scope(IntEnum):
    """What somebody may do; each scope includes those below it."""

    NONE = 0  #: nothing but to authenticate
    READ = 1  #: look at everything
    USER = 2  #: create and run jobs, and stop, repeat and delete one's own
    ADMIN = 3  #: everything


_FOR_ALL: Final = frozenset({"authenticate", "fetch_nonce"})
_READ: Final = frozenset(
    {"health", "version", "stats", "whoami", "rpc.discover", "jobs.list", "job.status", "job.result"}
    | {"hero_subscribe", "hero_unsubscribe"}
)
_READ_PREFIXES: Final = ("get_", "list_", "wait_")
# What an actor process writes may be anything that its scripts, of all callers, and its machine say.
_ADMIN: Final = frozenset({"get_actor_logs"})
_USER: Final = frozenset(
    {"create_job", "create_jobs", "start_job", "run_job", "run_jobs", "play", "stop_job", "retry_job", "delete_job"}
    | {"jobs.create", "job.run", "job.start", "job.stop", "job.delete"}
)


def needed_scope(method: str) -> Scope:
    """Look up what it takes to call a method."""
    if method in _FOR_ALL:
        return Scope.NONE
    if method in _ADMIN:
        return Scope.ADMIN
    if method in _READ or method.startswith(_READ_PREFIXES):
        return Scope.READ
    return Scope.USER if method in _USER else Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a token belongs to.

    Attributes:
        name: As the operator calls it.
        scope: What it may do.
        sha256: Of its token, in hex.
        expires_s: Seconds since 1970 from which on the token is worth nothing; None for never.
    """

    name: str
    scope: Scope
    sha256: str = field(repr=False)
    expires_s: float | None = None

    def expired(self, now_s: float) -> bool:
        """Is its time over?"""
        return self.expires_s is not None and now_s >= self.expires_s


class Tokens:
    """The tokens that count: those of the configuration, and those of the store as they were last read.

    Args:
        settings: Hashes, names and scopes of the configured ones.
    """

    def __init__(self, settings: Sequence[TokenSettings]) -> None:
        self._configured = tuple(
            Holder(name=token.name, scope=Scope[token.scope.upper()], sha256=token.sha256) for token in settings
        )
        self._all = self._configured

    def replace_stored(self, tokens: Sequence[StoredToken]) -> None:
        """Take the tokens of the store, as they are now, for those of before."""
        stored = (
            Holder(name=token.name, scope=Scope[token.scope.upper()], sha256=token.sha256, expires_s=token.expires_s)
            for token in tokens
        )
        self._all = (*self._configured, *stored)

    def holder(self, token: str, now_s: float) -> Holder | None:
        """Find whose token this is.

        Args:
            token: As the client sent it.
            now_s: Seconds since 1970.
        """
        given = token_hash(token)
        found = None
        for holder in self._all:  # to the end, found or not
            if hmac.compare_digest(holder.sha256, given) and not holder.expired(now_s):
                found = holder
        return found

    def counts(self, holder: Holder, now_s: float) -> bool:
        """Is the token that somebody once showed still one?"""
        return holder in self._all and not holder.expired(now_s)


class Attempts:
    """Counts what is refused to each peer: a bucket that fills with every refusal and leaks with time."""

    def __init__(self, free: int = FREE_ATTEMPTS, every_s: float = ATTEMPT_EVERY_S) -> None:
        self._free = free
        self._every_s = every_s
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def blocked_s(self, peer: str, now: float) -> float:
        """How long until the peer may try again, in seconds; 0 when it may."""
        return max(0.0, self._empty_at.get(_network(peer), now) - now - (self._free - 1) * self._every_s)

    def count(self, peer: str, now: float) -> None:
        """Note a refusal.

        Args:
            peer: IP address.
            now: Monotonic time in seconds.
        """
        network = _network(peer)
        self._empty_at[network] = max(now, self._empty_at.get(network, now)) + self._every_s
        self._empty_at.move_to_end(network)
        if len(self._empty_at) > MAX_PEERS:
            self._empty_at.popitem(last=False)


def _network(peer: str) -> str:
    """The address, or for IPv6 the network that a single customer has: its addresses are without number."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)
