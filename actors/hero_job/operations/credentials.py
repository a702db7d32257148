"""What lets somebody in that is kept in the store: tokens, by their hash, and nonces that wait to be signed.

Plain data, and the operations on it as data; no I/O. Written by `heroctl keys` and read by every supervisor of the
namespace. Invariants: a token is here only as its hash; a nonce is taken once, by whichever supervisor asks first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from hero_job.model.checks import time_text
from hero_job.model.errors import JobInvalid
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is, pairs

#: What a token may do, from the least on.
SCOPES: Final = ("read", "user", "admin")
#: How long a nonce may be signed, in seconds.
NONCE_LIVES_S: Final = 60

_NAME: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,200}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token as the store has it.

    Attributes:
        name: Who holds it: 1 to 200 letters, digits, '_', '.', ':', '@', '-'.
        scope: One of `SCOPES`.
        sha256: SHA-256 of the token, in hex.
        created_at: ISO 8601 in UTC.
        expires_at: From then on it is worth nothing; None for never.

    Raises:
        JobInvalid: A field is wrong; names it.
    """

    name: str
    scope: str
    sha256: str
    created_at: str
    expires_at: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise JobInvalid(
                "name", f"must be 1 to 200 letters, digits, '_', '.', ':', '@', '-', not {self.name!r:.80}"
            )
        if self.scope not in SCOPES:
            raise JobInvalid("scope", f"must be one of {', '.join(SCOPES)}, not {self.scope!r:.80}")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise JobInvalid("sha256", "must be 64 hexadecimal digits")
        object.__setattr__(self, "created_at", time_text("created_at", self.created_at))
        if self.expires_at is not None:
            object.__setattr__(self, "expires_at", time_text("expires_at", self.expires_at))

    @property
    def expires_s(self) -> float | None:
        """`expires_at` in seconds since 1970."""
        return None if self.expires_at is None else datetime.fromisoformat(self.expires_at).timestamp()


@dataclass(frozen=True, slots=True)
class TokenList:
    """All tokens of a namespace.

    Attributes:
        tokens: By name.
        damaged: Names of entries that cannot be read; they let nobody in.
    """

    tokens: Sequence[StoredToken]
    damaged: Sequence[str]


def token_hash(token: str) -> str:
    """Give what the store and the configuration have of a token."""
    # Surrogates come from JSON escapes and are no token, but must not be an error of ours.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


class Credentials:
    """Builds the operations of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("_keys",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._keys = Keys(namespace)

    def add_token(self, token: StoredToken) -> Op[bool]:
        """Store a token; False when there is one of its name."""
        described = {"scope": token.scope, "sha256": token.sha256, "created_at": token.created_at}
        if token.expires_at is not None:
            described["expires_at"] = token.expires_at
        return Op(("HSETNX", self._keys.tokens, token.name, orjson.dumps(described)), bool)

    def remove_token(self, name: str) -> Op[bool]:
        """Forget a token; False when there is none of this name."""
        return Op(("HDEL", self._keys.tokens, name), bool)

    def tokens(self) -> Op[TokenList]:
        """List the tokens."""
        return Op(("HGETALL", self._keys.tokens), _decode_tokens)

    def put_nonce(self, nonce: str, public_key: str) -> Op[None]:
        """Note that somebody who says to have a key was given a nonce to sign."""
        return Op(("SET", self._keys.nonce(nonce), public_key, "EX", NONCE_LIVES_S), lambda _: None)

    def take_nonce(self, nonce: str) -> Op[str | None]:
        """Take a nonce away: gives the key that it was for, and None when it is unknown, used or too old."""
        return Op(("GETDEL", self._keys.nonce(nonce)), as_is)


def _decode_tokens(answer: Any) -> TokenList:
    tokens: list[StoredToken] = []
    damaged: list[str] = []
    for name, text in sorted(pairs(answer).items()):
        try:
            tokens.append(StoredToken(name=name, **orjson.loads(text)))
        except (JobInvalid, ValueError, TypeError):
            damaged.append(name)
    return TokenList(tokens, damaged)
