"""What one actor process is to be: the command line as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hero_actor.conditions.missing_engine import WhenMissing
from hero_job.model.job import ScriptType

#: Lanes of an actor that is not told how many. OSIS promises order, and order needs a single lane.
DEFAULT_LANES: Mapping[ScriptType, int] = MappingProxyType(
    {ScriptType.OSIS: 1, ScriptType.SAL: 16, ScriptType.V: 1, ScriptType.PYTHON: 1}
)

#: Engine of an actor that is not told which.
DEFAULT_ENGINE: Mapping[ScriptType, str] = MappingProxyType(
    {ScriptType.OSIS: "rhai", ScriptType.SAL: "rhai", ScriptType.V: "v", ScriptType.PYTHON: "heroscript"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec:
    """One actor process.

    Attributes:
        script_type: Which queue it serves.
        redis_url: The store, password and all: never logged.
        namespace: Prefix of every key.
        name: Its name among people; several processes may share it.
        incarnation: Its name in Redis; never used twice.
        lanes: Jobs it runs at once.
        group: Serves the queue of this group too; None for no group.
        instance: Serves the queue of this instance of the group too.
        engine: Registry name or `module:factory`.
        by_context: Runs one job of a context at once, in the order of the queue, however many actors do so.
        legacy_queues: Serves the queues of older programs of the Rust family too.
        grace_s: How long past its deadline a job may take to yield, in seconds.
        lease_s: How long it may be silent in Redis before it is declared dead, in seconds.
        max_redeliveries: How often a job whose holder died is given out again.
        result_ttl_s: How long a finished job is kept, in seconds.
        failure_ttl_s: How long a failed job is kept, in seconds.
        reply_ttl_s: How long a reply waits for its reader, in seconds.
        max_jobs: It asks to be replaced after so many jobs; 0 for never.
        max_rss_bytes: It asks to be replaced above this resident memory; 0 for never.
        log_dir: Folder of the log files that jobs name; "" for none.
        missing_engine: What becomes of jobs while the engine is not installed.
        look_for_engine_s: How often it is then looked for, in seconds.
        control_fd: Descriptor of the socket to its supervisor; None without one.
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
    by_context: bool
    legacy_queues: bool
    grace_s: float
    lease_s: float
    max_redeliveries: int
    result_ttl_s: int
    failure_ttl_s: int
    reply_ttl_s: int
    max_jobs: int
    max_rss_bytes: int
    log_dir: str
    missing_engine: WhenMissing
    look_for_engine_s: float
    control_fd: int | None
