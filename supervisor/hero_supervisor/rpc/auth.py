"""Who may do what over TCP: tokens, scopes, the table of methods, and how often somebody may be wrong. Pure.

Called by ``auth_session``. Invariants: a token exists here only as its hash; how long a look at a token takes does not
depend on which one it is like; what the table does not name only an administrator may call.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hero_config.settings import TokenSettings

# Wrong attempts that are free, and the pause that each further one costs: nobody types that fast, and ten a minute are
# no way to guess.
FREE_ATTEMPTS: Final = 10
ATTEMPT_EVERY_S: Final = 6.0
# An attacker with many addresses makes us forget some, never remember all.
MAX_PEERS: Final = 4096


class Scope(IntEnum):
    """What somebody may do; each scope includes those below it."""

    NONE = 0  #: nothing but to authenticate
    READ = 1  #: look at everything
    USER = 2  #: create and run jobs, and stop, repeat and delete one's own
    ADMIN = 3  #: everything


_FOR_ALL: Final = frozenset({"authenticate"})
_READ: Final = frozenset(
    {"health", "version", "stats", "whoami", "rpc.discover", "jobs.list", "job.status", "job.result"}
)
_READ_PREFIXES: Final = ("get_", "list_", "wait_")
_USER: Final = frozenset(
    {"create_job", "create_jobs", "start_job", "run_job", "run_jobs", "play", "stop_job", "retry_job", "delete_job"}
    | {"jobs.create", "job.run", "job.start", "job.stop", "job.delete"}
)


def needed_scope(method: str) -> Scope:
    """Look up what it takes to call a method."""
    if method in _FOR_ALL:
        return Scope.NONE
    if method in _READ or method.startswith(_READ_PREFIXES):
        return Scope.READ
    return Scope.USER if method in _USER else Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a token belongs to."""

    name: str
    scope: Scope


class Tokens:
    """The configured tokens.

    Args:
        settings: Their hashes, names and scopes.
    """

    def __init__(self, settings: Sequence[TokenSettings]) -> None:
        self._holders = [
            (bytes.fromhex(token.sha256), Holder(name=token.name, scope=Scope[token.scope.upper()]))
            for token in settings
        ]

    def __bool__(self) -> bool:
        """Are there any?"""
        return bool(self._holders)

    def holder(self, token: str) -> Holder | None:
        """Find whose token this is."""
        # Surrogates come from JSON escapes and are no token, but must not be an error of ours.
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        found = None
        for known, holder in self._holders:  # to the end, found or not
            if hmac.compare_digest(known, digest):
                found = holder
        return found


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
