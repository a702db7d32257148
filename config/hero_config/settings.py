"""The settings of the service: every section and key, with its default, its unit and its limits.

Owned here: names, types, defaults and ranges. `load.py` fills these models; `config/hero.toml` repeats every
default with a line of why, and a test holds the two together. Called by the programs (supervisor, Unix server); actors
take flags. Invariant: the models are frozen and refuse unknown keys, so settings in hand are complete and valid.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from hero_config.relations import check_relations

ActorType = Literal["osis", "sal", "v", "python"]
"""Script types an actor can serve, as they are spelled in queue names."""

OptionalName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]{0,62})?$")]
"""A name that becomes part of Redis keys, arguments and log fields: letters, digits, `_` and `-`; or empty."""

Namespace = Annotated[str, StringConstraints(pattern=r"^(\{[A-Za-z0-9_.-]{1,64}\}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})$")]
"""First part of every Redis key; braces make it a Cluster hash tag, which puts a deployment into one slot."""


class Section(BaseModel):
    """Base of every section: frozen, strict about types, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True, allow_inf_nan=False
    )


class StoreSettings(Section):
    """`[store]`: where jobs live."""

    redis_url: str = ""
    """URL of Redis or Valkey (`redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://`); empty
    starts the embedded store."""
    namespace: Namespace = "hero"
    """First part of every key."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds to wait for a connection."""

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url and not re.match(r"(rediss?(\+sentinel|\+cluster)?|unix)://", url):
            raise ValueError(
                "should start with redis://, rediss:// or unix://, or with redis+sentinel:// or redis+cluster://"
            )
        return url


class EmbeddedSettings(Section):
    """`[embedded]`: the Valkey that the supervisor runs when no `redis_url` is set."""

    dir: Annotated[str, Field(min_length=1)] = ".hero/store"
    """Folder of its data and socket, made when missing."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """TCP port on 127.0.0.1; 0 offers only the Unix socket."""
    binary: str = ""
    """Path of a `valkey-server` or `redis-server`; empty takes the bundled one."""
    appendfsync: Literal["always", "everysec", "no"] = "everysec"
    """When writes reach the disk."""
    maxmemory: Annotated[str, StringConstraints(pattern=r"^[0-9]+([kmg]b?|b)?$")] = "0"
    """Memory limit in bytes, or with kb, mb, gb; 0 sets none. At the limit new jobs are refused."""


class SupervisorSettings(Section):
    """`[supervisor]`: the service itself."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line written."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or JSON lines."""
    shutdown_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """Seconds that running jobs get to finish when the service stops."""
    lease_s: Annotated[float, Field(ge=2, le=3600)] = 8.0
    """Seconds without a beat in Redis after which an actor is dead."""
    sweep_s: Annotated[float, Field(ge=0.1, le=600)] = 2.0
    """Seconds between two looks for dead actors of any host."""
    ping_idle_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """Seconds without a job after which an actor is given an empty one, to see that it still takes jobs."""
    ping_wait_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds that it has for that; then it is replaced."""


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


class JobsSettings(Section):
    """`[jobs]`: limits and lifetimes of jobs."""

    default_timeout_s: Annotated[int, Field(ge=1)] = 300
    """Seconds that a job may run which names no timeout."""
    max_timeout_s: Annotated[int, Field(ge=1)] = 86_400
    """Longest timeout that a job may ask for, in seconds."""
    max_script_bytes: Annotated[int, Field(ge=1, le=512 * 1024 * 1024)] = 1024 * 1024
    """Largest script in bytes."""
    max_redeliveries: Annotated[int, Field(ge=0, le=1000)] = 3
    """Times that a job is handed out anew when its holder dies."""
    result_ttl_s: Annotated[int, Field(ge=1)] = 86_400
    """Seconds that a finished job is kept."""
    failure_ttl_s: Annotated[int, Field(ge=1)] = 604_800
    """Seconds that a failed job is kept."""
    log_dir: str = ""
    """Folder below which jobs may have their log written by `log_path`; empty for none."""
    reply_ttl_s: Annotated[int, Field(ge=1)] = 300
    """Seconds that an unread reply is kept."""

    @model_validator(mode="after")
    def _default_within_limit(self) -> Self:
        if self.default_timeout_s > self.max_timeout_s:
            raise ValueError(
                f"default_timeout_s ({self.default_timeout_s}) should be at most max_timeout_s ({self.max_timeout_s})"
            )
        return self


class ActorSettings(Section):
    """`[[actors]]`: one kind of actor process and how many of it."""

    type: ActorType
    """Script type it serves."""
    name: OptionalName = ""
    """Processes are called NAME-1, NAME-2 ...; empty takes the type."""
    count: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of processes."""
    lanes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Jobs at once in a process; 0 takes the type's own default."""
    group: OptionalName = ""
    """Group whose queue it serves besides the type's."""
    by_context: bool = False
    """Run one job of a context at once, in the order of the queue, over all actors that do so."""
    legacy_queues: bool = False
    """Serve the queues `job:actor_queue:{type}` and `work_queue:{name}` of older Rust programs too."""
    max_jobs: Annotated[int, Field(ge=0)] = 0
    """Jobs after which a process is replaced; 0 for never."""
    max_rss_bytes: Annotated[int, Field(ge=0)] = 0
    """Resident memory above which a process is replaced; 0 for never."""
    engine: str = ""
    """Engine name or `module:factory`; empty takes the type's own."""
    grace_s: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Seconds past its deadline that a job may take to yield."""
    max_restarts: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Restarts in `window_s` after which it is held."""
    window_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds in which restarts are counted."""
    backoff_min_s: Annotated[float, Field(gt=0, le=3600)] = 0.2
    """Pause before the second restart in a row (the first is immediate); doubled for each further one."""
    backoff_max_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Longest pause between two restarts, and the pause while held."""
    restart: Literal["permanent", "transient", "temporary"] = "permanent"
    """It is started again after every end, after all but exit 0, or never."""
    shutdown_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Seconds to finish its jobs when it is stopped; 0 takes that of `[supervisor]`."""
    after: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Entries that must be ready before it starts."""
    strategy: Literal["one_for_one", "rest_for_one", "one_for_all"] = "one_for_one"
    """Who is started anew when one of the group crashes: that one, also those after it, or all."""
    strategy_group: OptionalName = ""
    """The group for that: all entries that name it; empty for this entry's own processes."""
    min: Annotated[int, Field(ge=0, le=1000)] = 0
    """Fewest processes that scaling leaves."""
    max: Annotated[int, Field(ge=0, le=1000)] = 0
    """Most processes; with it their number follows the load, between `min` and this. 0 for `count` as it is."""
    scale_wait_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Wait in the queue, in seconds, above which a process is added."""
    scale_idle_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds that it must have had a process too many before one is taken away."""
    env: dict[str, str] = {}
    """Environment variables added for the process."""
    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """A program of another make with its arguments, in place of our own actor."""
    user: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$")] = ""
    """User whose rights it has, with that user's groups; by name or number. Empty: as the supervisor."""
    cwd: str = ""
    """Folder that it runs in; empty: that of the supervisor."""
    nice: Annotated[int, Field(ge=-20, le=19)] = 0
    """Its priority, from -20 (first) to 19 (last); 0: as the supervisor."""
    cpu_affinity: Annotated[tuple[Annotated[int, Field(ge=0, le=8191)], ...], Field(strict=False)] = ()
    """Processors that it may run on, from 0; none: as the supervisor."""
    memory_max: Annotated[str, StringConstraints(pattern=r"^[0-9]+([kmg]b?|b)?$")] = "0"
    """Most memory of its own that a process, and each that it starts, may have: bytes, or with kb, mb, gb; 0: any."""

    @property
    def base_name(self) -> str:
        """`name`, or the type when no name is given."""
        return self.name or self.type

    @property
    def memory_max_bytes(self) -> int:
        """`memory_max` as a number."""
        digits = self.memory_max.rstrip("kmgb")
        return int(digits) << {"k": 10, "m": 20, "g": 30}.get(self.memory_max[len(digits) :][:1], 0)

    @model_validator(mode="after")
    def _memory_is_enough(self) -> Self:
        if 0 < self.memory_max_bytes < 32 << 20:
            raise ValueError(f"memory_max ({self.memory_max}) should be at least 32mb; did you leave out the unit?")
        return self

    @model_validator(mode="after")
    def _command_is_told_by_its_arguments(self) -> Self:
        ours = ("lanes", "group", "by_context", "legacy_queues", "max_jobs", "max_rss_bytes", "engine")
        given = [name for name in ours if getattr(self, name) != type(self).model_fields[name].default]
        if self.command and given:
            raise ValueError(f"{', '.join(given)}: only our own actors know this; tell a command by its arguments")
        return self

    @model_validator(mode="after")
    def _backoff_in_order(self) -> Self:
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_min_s ({self.backoff_min_s:g}) should be at most backoff_max_s ({self.backoff_max_s:g})"
            )
        return self

    @model_validator(mode="after")
    def _scale_in_order(self) -> Self:
        if self.max and self.min > self.max:
            raise ValueError(f"min ({self.min}) should be at most max ({self.max})")
        return self


class Settings(Section):
    """All sections. `Settings()` is the service without any file: embedded store, one OSIS and one SAL actor."""

    store: StoreSettings = StoreSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    rpc: RpcSettings = RpcSettings()
    jobs: JobsSettings = JobsSettings()
    # Not strict itself: TOML and JSON have lists, no tuples. The items stay strict.
    actors: Annotated[tuple[ActorSettings, ...], Field(strict=False)] = (
        ActorSettings(type="osis"),
        ActorSettings(type="sal"),
    )

    @model_validator(mode="after")
    def _actors_agree(self) -> Self:
        check_relations(self.actors)
        return self
