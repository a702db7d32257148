"""Credentials in the store: access tokens, and nonces that clients are to sign. Types and operations as data; no I/O.

`heroctl keys` writes the tokens; every supervisor of the namespace reads them, and gives out nonces. Invariants: the
store has only the hash of a token; a nonce can be taken once, whichever supervisor asks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from hero_job.model.damaged import DamagedRecord, RecordKind, read_each
from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import time_text
from hero_job.model.fields.shown_values import shown
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is, pairs

#: What a token allows, from the least to the most.
SCOPES: Final = ("read", "user", "admin")
#: How long a nonce is valid, in seconds.
NONCE_LIVES_S: Final = 60

_NAME: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,200}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token as the store has it.

    Attributes:
        name: Its holder: 1 to 200 letters, digits, '_', '.', ':', '@', '-'.
        scope: One of `SCOPES`.
        sha256: SHA-256 of the token, in hex.
        created_at: ISO 8601 in UTC.
        expires_at: When the token stops being valid, ISO 8601 in UTC; None for never.

    Raises:
        JobInvalid: A field is invalid; names it.
    """

    name: str
    scope: str
    sha256: str
    created_at: str
    expires_at: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise JobInvalid(
                "name", f"must be 1 to 200 letters, digits, '_', '.', ':', '@', '-', not {shown(self.name)}"
            )
        if self.scope not in SCOPES:
            raise JobInvalid("scope", f"must be one of {', '.join(SCOPES)}, not {shown(self.scope)}")
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
        damaged: Entries that cannot be read; they grant no access.
    """

    tokens: Sequence[StoredToken]
    damaged: Sequence[DamagedRecord]


def token_hash(token: str) -> str:
    """Compute the hash under which the store and the configuration know a token."""
    # Surrogates come from JSON escapes. They match no token, and must not raise an error here.
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
        """Store a token; False if there is one of the same name."""
        described = {"scope": token.scope, "sha256": token.sha256, "created_at": token.created_at}
        if token.expires_at is not None:
            described["expires_at"] = token.expires_at
        return Op(("HSETNX", self._keys.tokens, token.name, orjson.dumps(described)), bool)

    def remove_token(self, name: str) -> Op[bool]:
        """Revoke a token; False if there is none of this name."""
        return Op(("HDEL", self._keys.tokens, name), bool)

    def tokens(self) -> Op[TokenList]:
        """List the tokens."""
        return Op(("HGETALL", self._keys.tokens), _decode_tokens)

    def damaged(self) -> Op[Sequence[DamagedRecord]]:
        """List the tokens that cannot be read."""
        return Op(("HGETALL", self._keys.tokens), lambda answer: _decode_tokens(answer).damaged)

    def put_nonce(self, nonce: str, public_key: str) -> Op[None]:
        """Note that a client that claims a key was given a nonce to sign.

        Args:
            nonce: The nonce.
            public_key: The key that the client claims to have, in hex.
        """
        return Op(("SET", self._keys.nonce(nonce), public_key, "EX", NONCE_LIVES_S), lambda _: None)

    def take_nonce(self, nonce: str) -> Op[str | None]:
        """Take a nonce out of the store.

        Returns:
            The public key that the nonce was given to; None if it is unknown, used or expired.
        """
        return Op(("GETDEL", self._keys.nonce(nonce)), as_is)


def _decode_tokens(answer: Any) -> TokenList:
    rows = sorted(pairs(answer).items())
    return TokenList(*read_each(RecordKind.TOKEN, rows, lambda n, text: StoredToken(name=n, **orjson.loads(text))))
