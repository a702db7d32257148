"""The settings of JSON-RPC: `[rpc]`, and the entries below it.

Owns names, types, defaults and ranges, and the rule that the port is not open beyond this machine without protection.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hero_config.model.section import ActorType, Section


class TokenSettings(Section):
    """`[[rpc.tokens]]`: one token that opens the TCP port."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:@-]{1,200}$")]
    """Who holds it. Appears in the log and is the caller_id of the jobs of a user, so it may be a public key."""
    scope: Literal["admin", "user", "read"]
    """What its holder may do."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the token in hex. The token itself is not stored."""


class UnixPeerSettings(Section):
    """`[[rpc.unix_peers]]`: what one user of this machine may do on the Unix socket."""

    user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """User name or number."""
    scope: Literal["admin", "user", "read"]
    """What the user may do."""
    name: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_.:@-]{1,200})?$")] = ""
    """Name in the log, and caller_id. Empty: the value of user."""


class RightSettings(Section):
    """`[[rpc.rights]]`: who may create which jobs. If there are entries, a job needs one that allows it."""

    # Tuples are not strict, because TOML and JSON have lists. Their items are.
    context_id: Annotated[str, Field(min_length=1)] = "*"
    """Context of the job; * and ? are wildcards."""
    script_types: Annotated[tuple[ActorType, ...], Field(strict=False)] = ()
    """Script types of the job. Empty: all."""
    callers: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, min_length=1)]
    """caller_id of the job; * and ? are wildcards."""


class RpcSettings(Section):
    """`[rpc]`: JSON-RPC on a Unix socket and on a TCP port."""

    unix_socket: str = ".hero/hero.ipc"
    """Path of the JSON-RPC socket, at most 107 bytes. Empty: no socket."""
    unix_mode: Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")] = "0600"
    """Permissions of the socket, octal. Everybody who can connect can run scripts, so by default only the owner can."""
    max_message_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024
    """Largest request in bytes (10 MiB). The largest script takes 6 MiB if every character is escaped."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """TCP port for WebSocket and HTTP POST, with /healthz and /metrics. 0: no port; the Unix socket does not need
    it."""
    bind: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """IP address of the port. Beyond loopback the service starts only with tokens and TLS; see insecure."""
    page: bool = True
    """false: do not serve the web page on the port. It needs a token where the port does."""
    # Tuples are not strict, because TOML and JSON have lists. Their items are.
    tokens: Annotated[tuple[TokenSettings, ...], Field(strict=False)] = ()
    """Tokens that open the port: { name = "ops", scope = "admin", sha256 = "..." }; scope is admin, user or read.
    Without tokens, keys or require_auth every local user may run scripts."""
    require_auth: bool = False
    """true: every client of the port must authenticate. Always so if tokens or signature_keys are given. Keys of
    `heroctl keys` count too."""
    signature_keys: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Public keys (secp256k1, compressed, hex) that may authenticate by signing a nonce. "*": any key."""
    signature_scope: Literal["admin", "user", "read"] = "user"
    """What clients that authenticated by a signature may do: admin, user or read."""
    require_signatures: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Contexts whose jobs must be signed by their caller; * and ? are wildcards. Empty: signatures are optional."""
    rights: Annotated[tuple[RightSettings, ...], Field(strict=False)] = ()
    """Who may create which jobs: { context_id = "*", script_types = ["sal"], callers = ["ops"] }. If there are entries,
    a job needs one that allows it."""
    reader_masks: Annotated[tuple[Literal["env_vars", "script", "log_path"], ...], Field(strict=False)] = ("env_vars",)
    """Fields of jobs whose values clients of the scope read do not see: env_vars, script, log_path."""
    unix_auth: Literal["off", "peer", "token"] = "off"
    """off: everybody who can open the socket may do everything. peer: by user, see unix_peers. token: as on the
    port."""
    unix_peers: Annotated[tuple[UnixPeerSettings, ...], Field(strict=False)] = ()
    """Rights by user: { user = "alice", scope = "user", name = "" }. root and the user of the service are admin."""
    origins: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Web origins whose pages may connect, such as "https://app.example.org". Pages of this machine always may, except
    those that are opened as files: their origin is "null", which also stands for pages in sandboxes of any site."""
    hosts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Host names by which clients may call the port, beside localhost and IP addresses. Refusing others stops DNS
    rebinding attacks."""
    tls_cert: str = ""
    """Path of the certificate chain (PEM). Empty: no TLS."""
    tls_key: str = ""
    """Path of its private key."""
    insecure: bool = False
    """true: allow the port beyond loopback without tokens, or without TLS because a proxy in front of it speaks TLS."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Most simultaneous connections to the port; further ones are refused. At most a quarter of ulimit -n."""
    unix_max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1024
    """Most simultaneous connections to the Unix socket; further ones get an error. At most a quarter of ulimit -n."""
    max_batch_answer_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 25 * 1024 * 1024
    """Largest answer to a batch in bytes (25 MiB). Requests whose answer does not fit get an error instead."""
    max_subscriptions: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Most subscriptions (hero_subscribe) per connection. One subscription can follow many jobs."""
    subscription_queue: Annotated[int, Field(ge=16, le=1_000_000)] = 1000
    """Notifications that may wait for a slow client. With more, the client loses that subscription."""

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

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "null" and not re.fullmatch(r"https?://[^/?#@*\s]+", origin, re.IGNORECASE):
                raise ValueError(
                    'should be origins as browsers send them, such as "https://app.example.org" (no path, no *), or '
                    '"null" for pages that are opened as files'
                )
        return tuple(origin.lower() for origin in origins)

    @model_validator(mode="after")
    def _token_names_differ(self) -> Self:
        names = [token.name for token in self.tokens]
        if len(set(names)) < len(names):
            raise ValueError("tokens: a name is used twice; give each token its own")
        return self

    @field_validator("signature_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(key.removeprefix("0x") for key in keys)
        for key in plain:
            if key != "*" and not re.fullmatch(r"0[23][0-9a-f]{64}", key):
                raise ValueError("should be public keys in their compressed form, 66 hexadecimal digits, or *")
        return plain

    @model_validator(mode="after")
    def _any_key_is_no_administrator(self) -> Self:
        if "*" in self.signature_keys and self.signature_scope == "admin":
            raise ValueError(
                'signature_scope: with signature_keys = ["*"] everybody would be admin; use "user" or "read"'
            )
        return self

    @property
    def auth_required(self) -> bool:
        """Tell whether every client of the TCP port must authenticate."""
        return bool(self.require_auth or self.tokens or self.signature_keys)

    @model_validator(mode="after")
    def _tls_complete(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key should be set together")
        return self

    @model_validator(mode="after")
    def _safe_to_expose(self) -> Self:
        if not self.port or self.insecure or ipaddress.ip_address(self.bind).is_loopback:
            return self
        if not self.auth_required:
            raise ValueError(
                f"everybody who can reach {self.bind} could run scripts: set tokens, or require_auth = true with keys "
                "of `heroctl keys`, or insecure = true"
            )
        if not self.tls_cert:
            raise ValueError(
                f"tokens would cross the network to {self.bind} unencrypted: set tls_cert and tls_key, "
                "or insecure = true if a proxy in front of the port speaks TLS"
            )
        return self
