"""The options of one actor process: its command line as data.

`cli.py` builds them, `actor.py` reads them, and nothing changes them afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hero_actor.conditions.missing_engine import WhenMissing
from hero_engine.rights import ScriptRights
from hero_job.model.job import ScriptType

#: Lanes of an actor without `--lanes`. OSIS promises to keep the order of its queue, which takes a single lane.
DEFAULT_LANES: Mapping[ScriptType, int] = MappingProxyType(
    {ScriptType.OSIS: 1, ScriptType.SAL: 16, ScriptType.V: 1, ScriptType.PYTHON: 1}
)

#: Engine of an actor without `--engine`.
DEFAULT_ENGINE: Mapping[ScriptType, str] = MappingProxyType(
    {ScriptType.OSIS: "rhai", ScriptType.SAL: "rhai", ScriptType.V: "v", ScriptType.PYTHON: "heroscript"}
)

#: Memory of one job in an actor without `--memory-bytes`, in bytes. Other engines have defaults of their own.
DEFAULT_MEMORY_BYTES: Mapping[str, int] = MappingProxyType({"rhai": 256 * 1024 * 1024})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorOptions:
    """Options of one actor process.

    Attributes:
        script_type: The script type whose queue it serves.
        redis_url: URL of the store. It may hold a password: never log it.
        namespace: Prefix of every key.
        name: Name shown to operators; several processes may share it.
        incarnation: Name in Redis, unique to this start of the process.
        lanes: How many jobs it runs concurrently.
        group: It also serves the queue of this group; None for no group.
        instance: It also serves the queue of this instance of the group; None for no instance.
        engine: Registry name, or `module:factory`.
        isolation: "thread": scripts run in the way of their engine; "process": in child processes, whatever the engine.
        by_context: Run one job per context at a time, in queue order, across all actors that set this.
        legacy_queues: Also serve the queues of older Rust programs.
        grace_s: How long a job may run past its deadline before the actor gives it up, in seconds.
        lease_s: How long the actor may be silent in Redis before it is declared dead, in seconds.
        max_redeliveries: How often a job is redelivered after its holder died.
        result_ttl_s: How long a finished job is kept, in seconds.
        failure_ttl_s: How long a failed job is kept, in seconds.
        reply_ttl_s: How long a reply is kept for its reader, in seconds.
        memory_bytes: Memory that one job may hold, in bytes; None for the engine's default.
        max_result_bytes: Largest result of a job, and most text that it may log within a second, in bytes.
        max_jobs: Number of jobs after which the actor asks to be replaced; 0 for no limit.
        max_rss_bytes: Resident memory above which the actor asks to be replaced; 0 for no limit.
        max_object_bytes: Largest object of OSIS, in bytes of JSON; 0 for an actor without objects.
        log_dir: Folder for the log files that jobs ask for; "" to write none.
        missing_engine: What happens to jobs while the engine is not installed.
        look_for_engine_s: How often the actor then looks for the engine, in seconds.
        rights: What its scripts may do.
        control_fd: Descriptor of the socket to its supervisor; None without a supervisor.
    """

    script_type: ScriptType
    redis_url: str
    namespace: str
    name: str
    incarnation: str
    lanes: int
    group: str | None
    instance: str | None
    engine: str
    isolation: str
    by_context: bool
    legacy_queues: bool
    grace_s: float
    lease_s: float
    max_redeliveries: int
    result_ttl_s: int
    failure_ttl_s: int
    reply_ttl_s: int
    memory_bytes: int | None
    max_result_bytes: int
    max_jobs: int
    max_rss_bytes: int
    max_object_bytes: int
    log_dir: str
    missing_engine: WhenMissing
    look_for_engine_s: float
    rights: ScriptRights
    control_fd: int | None
