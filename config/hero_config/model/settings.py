"""The settings of the service: every section and key, with its default, its unit and its limits.

The string below a key explains it; `config/hero.toml` and `config/hero.schema.json` are generated from these models.
`[rpc]` and `[[actors]]` are in `rpc_settings.py` and `actor_settings.py`. `load.py` fills the models; the supervisor
and the Unix server use them, while actors take flags. Invariant: the models are frozen and refuse unknown keys, so an
instance is always complete and valid.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hero_config.model.actor_settings import ActorSettings
from hero_config.model.relations import check_relations
from hero_config.model.rpc_settings import RightSettings, RpcSettings, TokenSettings, UnixPeerSettings
from hero_config.model.section import ActorType, Namespace, OptionalName, Section
from hero_config.model.urls import problem_of_url

__all__ = [
    "ActorSettings",
    "ActorType",
    "EmbeddedSettings",
    "JobsSettings",
    "Namespace",
    "OptionalName",
    "RightSettings",
    "RpcSettings",
    "Section",
    "Settings",
    "StoreSettings",
    "SupervisorSettings",
    "TokenSettings",
    "UnixPeerSettings",
]


class StoreSettings(Section):
    """`[store]`: where the jobs are stored."""

    redis_url: str = ""
    """URL of Redis or Valkey (redis:// rediss:// unix:// redis+sentinel:// redis+cluster://). Empty: the supervisor
    runs its own Valkey, see [embedded]."""
    namespace: Namespace = "hero"
    """First part of every key, so that deployments can share one Redis. In braces, "{hero}", for a Cluster."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds to wait for a connection. A Redis that takes longer counts as unreachable and is tried again."""
    wait_replicas: Annotated[int, Field(ge=0, le=16)] = 0
    """Replicas that must have a job or a result before it is acknowledged (WAIT), so that no failover loses it. Costs a
    round trip to a replica each time, and nothing is acknowledged while there are too few."""

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url and not re.match(r"(rediss?(\+sentinel|\+cluster)?|unix)://", url):
            raise ValueError(
                "should start with redis://, rediss:// or unix://, or with redis+sentinel:// or redis+cluster://"
            )
        if url and (problem := problem_of_url(url)) is not None:
            raise ValueError(problem)
        return url


class EmbeddedSettings(Section):
    """`[embedded]`: the Valkey that the supervisor runs if no `redis_url` is set."""

    dir: Annotated[str, Field(min_length=1)] = ".hero/store"
    """Folder of its data and socket, created if missing. Only one supervisor may use it."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """TCP port on 127.0.0.1 for other programs, with a password: hero-supervisor config store-url. 0: only the Unix
    socket, which is safer and faster."""
    binary: str = ""
    """Path of another valkey-server or redis-server. Empty: the bundled Valkey."""
    appendfsync: Literal["always", "everysec", "no"] = "everysec"
    """When writes reach the disk. always: an acknowledged job survives a power cut. everysec: a power cut loses about
    1 s, up to 2 s if the disk is slow; so does a crash of the store while a slow disk syncs. no: the kernel decides."""
    maxmemory: Annotated[str, StringConstraints(pattern=r"^[0-9]+([kmg]b?|b)?$")] = "0"
    """Memory limit in bytes, or with kb, mb, gb. 0: no limit. At the limit new jobs are refused; nothing is evicted."""


class SupervisorSettings(Section):
    """`[supervisor]`: the service itself."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged: debug, info, warning or error. info is one line per transition."""
    log_format: Literal["text", "json"] = "text"
    """text for people, json for collectors."""
    log_to: Literal["auto", "stderr", "journal", "file"] = "auto"
    """stderr, journal (with fields: journalctl HERO_ACTOR=sal-1) or file. auto: the journal if stderr leads there, else
    stderr."""
    log_file: str = ""
    """Path of the log file for log_to = "file". Its folder must exist. The signal USR1 reopens it, for logrotate."""
    log_max_bytes: Annotated[int, Field(ge=0, le=1 << 40)] = 100 * 1024 * 1024
    """Size in bytes at which the file is rotated to PATH.1, PATH.2 and so on. 0: never, because another program rotates
    it."""
    log_keep: Annotated[int, Field(ge=1, le=1000)] = 5
    """Number of rotated files to keep."""
    shutdown_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """Seconds that running jobs get to finish when the service stops. Jobs that take longer are requeued."""
    lease_s: Annotated[float, Field(ge=2, le=3600)] = 8.0
    """Seconds without a sign of life after which an actor, on any host, counts as dead."""
    sweep_s: Annotated[float, Field(ge=0.1, le=600)] = 2.0
    """Seconds between two searches for dead actors. Their jobs start again within lease_s + sweep_s."""
    ping_idle_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """Seconds without a job after which an actor must answer an empty one, because it may show signs of life and still
    take no jobs."""
    ping_wait_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds that it has to answer before it is replaced. Time without the store does not count."""
    fork_from: Annotated[int, Field(ge=0, le=100_000)] = 16
    """Number of actor processes from which on they are forked by a process that has loaded their code, so that they
    start faster and share memory. An entry with command, env, user, cwd, nice, cpu_affinity or memory_max does not
    count and is not forked. 0: never."""

    @model_validator(mode="after")
    def _file_is_named(self) -> Self:
        if self.log_to == "file" and not self.log_file:
            raise ValueError("log_to = 'file' needs log_file, the path of the file")
        return self


class JobsSettings(Section):
    """`[jobs]`: limits and lifetimes of jobs."""

    default_timeout_s: Annotated[int, Field(ge=1)] = 300
    """Seconds that a job may run if it names no timeout."""
    max_timeout_s: Annotated[int, Field(ge=1)] = 86_400
    """Longest timeout that a job may ask for, in seconds (one day)."""
    max_script_bytes: Annotated[int, Field(ge=1, le=512 * 1024 * 1024)] = 1024 * 1024
    """Largest script in bytes (1 MiB). Redis keeps all scripts in memory."""
    max_redeliveries: Annotated[int, Field(ge=0, le=1000)] = 3
    """How often a job runs again that ended its own process while it ran alone. After that it fails as lost. The end of
    an actor charges no job: its jobs run again alone, each in a child process, to find out which of them did it."""
    result_ttl_s: Annotated[int, Field(ge=1)] = 86_400
    """Seconds that a finished job is kept (one day)."""
    failure_ttl_s: Annotated[int, Field(ge=1)] = 604_800
    """Seconds that a failed job is kept (one week, because somebody will want to look at it)."""
    log_dir: str = ""
    """Folder below which jobs may write their log with log_path. Empty: log_path is ignored."""
    reply_ttl_s: Annotated[int, Field(ge=1)] = 300
    """Seconds that an unread reply is kept."""

    @model_validator(mode="after")
    def _default_within_limit(self) -> Self:
        if self.default_timeout_s > self.max_timeout_s:
            raise ValueError(
                f"default_timeout_s ({self.default_timeout_s}) should be at most max_timeout_s ({self.max_timeout_s})"
            )
        return self


class Settings(Section):
    """All sections. `Settings()` is the service without a file: embedded store, one OSIS and one SAL actor."""

    store: StoreSettings = StoreSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    supervisor: SupervisorSettings = SupervisorSettings()
    rpc: RpcSettings = RpcSettings()
    jobs: JobsSettings = JobsSettings()
    # The tuple is not strict, because TOML and JSON have lists. Its items are.
    actors: Annotated[tuple[ActorSettings, ...], Field(strict=False)] = (
        ActorSettings(type="osis"),
        ActorSettings(type="sal"),
    )

    @model_validator(mode="after")
    def _actors_agree(self) -> Self:
        check_relations(self.actors)
        return self
