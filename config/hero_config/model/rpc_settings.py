"""The settings of JSON-RPC: `[rpc]`, and the entries below it.

Owned here: names, types, defaults and ranges, and what of it must not be offered beyond this machine unprotected.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hero_config.model.section import ActorType, Section


class TokenSettings(Section):
    """`[[rpc.tokens]]`: one key that opens the TCP port."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:@-]{1,200}$")]
    """Who holds it: stands in the log, and is the `caller_id` of the jobs of a `user`; so it may be a public key."""
    scope: Literal["admin", "user", "read"]
    """What its holder may do."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the token in hex; the token itself is nowhere."""


class UnixPeerSettings(Section):
    """`[[rpc.unix_peers]]`: one user of this machine, and what it may do on the Unix socket."""

    user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """User name, or number."""
    scope: Literal["admin", "user", "read"]
    """What it may do."""
    name: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_.:@-]{1,200})?$")] = ""
    """What it is called in the log and as `caller_id`; empty takes `user`."""


class RightSettings(Section):
    """`[[rpc.rights]]`: who may create which jobs. Without any, all may create all; with one, only what one allows."""

    # Not strict itself: TOML and JSON have lists, no tuples. The items stay strict.
    context_id: Annotated[str, Field(min_length=1)] = "*"
    """Context of the job; `*` and `?` stand for any characters."""
    script_types: Annotated[tuple[ActorType, ...], Field(strict=False)] = ()
    """Its script type; none for all."""
    callers: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, min_length=1)]
    """Its `caller_id`, with `*` and `?` as above."""


class RpcSettings(Section):
    """`[rpc]`: JSON-RPC on a Unix socket and on a TCP port."""

    unix_socket: str = ".hero/hero.ipc"
    """Path of the socket; empty offers none."""
    unix_mode: Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")] = "0600"
    """Permissions of the socket, octal: who may connect may run scripts."""
    max_message_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024
    """Largest request in bytes."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """TCP port for WebSocket and HTTP; 0 offers none."""
    bind: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """IP address of the TCP port."""
    # Not strict themselves: TOML and JSON have lists, no tuples. The items stay strict.
    tokens: Annotated[tuple[TokenSettings, ...], Field(strict=False)] = ()
    """Who may use the TCP port; those of `heroctl keys` may too."""
    require_auth: bool = False
    """The TCP port takes a token or a signature of each; so it does when `tokens` or `signature_keys` are given."""
    signature_keys: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Public keys (secp256k1, hex) that may authenticate by a signature; `*` for any key."""
    signature_scope: Literal["admin", "user", "read"] = "user"
    """What they may do."""
    require_signatures: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Contexts, with `*` and `?`, whose jobs must be signed by their caller."""
    rights: Annotated[tuple[RightSettings, ...], Field(strict=False)] = ()
    """Who may create which jobs; without any, all may create all."""
    unix_auth: Literal["off", "peer", "token"] = "off"
    """Who connects to the Unix socket is an administrator, is whom `unix_peers` says, or says so itself."""
    unix_peers: Annotated[tuple[UnixPeerSettings, ...], Field(strict=False)] = ()
    """Users of this machine, for `unix_auth = "peer"`; root and the user of the service are administrators."""
    origins: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Web origins whose pages may connect besides those of this machine."""
    hosts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Host names under which clients may know the TCP port besides localhost and IP addresses."""
    tls_cert: str = ""
    """Path of the certificate chain (PEM); empty serves without TLS."""
    tls_key: str = ""
    """Path of its private key."""
    insecure: bool = False
    """Offer the TCP port beyond loopback without tokens, or without TLS."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Most connections to the TCP port at once."""
    unix_max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1024
    """Most connections to the Unix socket at once."""
    max_batch_answer_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 25 * 1024 * 1024
    """Longest answer of a batch in bytes."""
    max_subscriptions: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Most subscriptions of one connection."""
    subscription_queue: Annotated[int, Field(ge=16, le=1_000_000)] = 1000
    """Notifications of one subscription that may wait for its client."""

    @property
    def unix_mode_bits(self) -> int:
        """`unix_mode` as the number that `chmod` takes."""
        return int(self.unix_mode, 8)

    @field_validator("bind")
    @classmethod
    def _is_address(cls, bind: str) -> str:
        try:
            ipaddress.ip_address(bind)
        except ValueError:
            raise ValueError("should be an IP address, such as 127.0.0.1 or ::1; 0.0.0.0 for all") from None
        return bind

    @model_validator(mode="after")
    def _token_names_differ(self) -> Self:
        names = [token.name for token in self.tokens]
        if len(set(names)) < len(names):
            raise ValueError("tokens: a name is used twice; give each token its own")
        return self

    @field_validator("signature_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            if key != "*" and not re.fullmatch(r"0[23][0-9a-f]{64}", key):
                raise ValueError("should be public keys in their compressed form, 66 hexadecimal digits, or *")
        return keys

    @model_validator(mode="after")
    def _any_key_is_no_administrator(self) -> Self:
        if "*" in self.signature_keys and self.signature_scope == "admin":
            raise ValueError('signature_scope: with signature_keys = ["*"] everybody would be an administrator')
        return self

    @property
    def auth_required(self) -> bool:
        """Does the TCP port take a token or a signature of each?"""
        return bool(self.require_auth or self.tokens or self.signature_keys)

    @model_validator(mode="after")
    def _tls_complete(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key should be given together")
        return self

    @model_validator(mode="after")
    def _safe_to_expose(self) -> Self:
        if not self.port or self.insecure or ipaddress.ip_address(self.bind).is_loopback:
            return self
        if not self.auth_required:
            raise ValueError(
                f"who can reach {self.bind} could run scripts: give tokens, or require_auth = true with keys made by "
                "`heroctl keys`, or say insecure = true"
            )
        if not self.tls_cert:
            raise ValueError(
                f"tokens would cross the network to {self.bind} readable: give tls_cert and tls_key, "
                "or say insecure = true when something before the port speaks TLS"
            )
        return self
