"""The settings of the actors: one `[[actors]]` entry.

Owns names, types, defaults and ranges of an entry. Rules about several entries are in `relations.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hero_config.model.allow_settings import AllowSettings
from hero_config.model.section import ActorType, OptionalName, Section

_STORE_URL = re.compile(r"(rediss?(\+sentinel|\+cluster)?|unix)://", re.IGNORECASE)
_OBJECTS = ("osis_schemas", "osis_namespace", "osis_max_object_bytes")


class ActorSettings(Section):
    """`[[actors]]`: one kind of actor process, and how many run."""

    type: ActorType
    """Script type it serves: osis, sal, v or python."""
    name: OptionalName = ""
    """Processes are named NAME-1, NAME-2 and so on. Empty: the type. Two entries of one type need names."""
    count: Annotated[int, Field(ge=0, le=1000)] = 1
    """Number of processes. More than one OSIS actor breaks the order of its queue."""
    lanes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Jobs that a process runs simultaneously. 0: the default of the type, 1 for osis and 16 for sal."""
    group: OptionalName = ""
    """Group whose queue it also serves, for jobs that must run on certain machines."""
    by_context: bool = False
    """Run only one job per context_id at a time, in queue order, across all actors of the type that set this."""
    legacy_queues: bool = False
    """Also serve the queues of older Rust programs (job:actor_queue:TYPE, work_queue:NAME), within a second."""
    max_jobs: Annotated[int, Field(ge=0)] = 0
    """Number of jobs after which a process is drained and replaced. 0: never."""
    max_rss_bytes: Annotated[int, Field(ge=0)] = 0
    """Resident memory in bytes above which a process is drained and replaced. 0: never."""
    memory_bytes: Annotated[int, Field(ge=0, le=1 << 50)] = 256 << 20
    """Memory in bytes that one Rhai job may hold; a job may ask for less. 0: no limit. A HeroScript job holds what
    HERO_CHILD_MEMORY_MIB allows, unless this is set."""
    max_result_bytes: Annotated[int, Field(ge=1024, le=256 << 20)] = 16 << 20
    """Largest result of a job, and most text that it may log within a second, in bytes. A larger result is an error; a
    log is cut and says so."""
    engine: str = ""
    """Engine name, or module:factory. Empty: the engine of the type."""
    isolation: Literal["thread", "process"] = "thread"
    """thread: Rhai scripts run in threads of the actor, which is fastest. process: each lane runs its scripts in a
    child process that is kept, has limits of its own (HERO_CHILD_* in env), and is killed at the deadline; a script
    that crashes ends only that. HeroScript and V always run in processes of their own."""
    missing_engine: Literal["fail", "wait"] = "fail"
    """What happens to jobs while the engine (the wheel rhai-py, the program hero) is not installed. fail: they fail and
    say how to install it. wait: they wait."""
    osis_schemas: str = ""
    """For osis: folder of the .oschema files that define the types of its objects. Empty: the built-in types note,
    event, user, calendar, contact and task."""
    osis_namespace: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "hero"
    """For osis: what stands in the names of functions and types of objects, as in osis_hero_note_get. Objects of
    another namespace are other objects."""
    osis_max_object_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 1024 * 1024
    """For osis: largest object in bytes of JSON (1 MiB). Redis keeps objects in memory, with ten versions of each."""
    grace_s: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Seconds past its timeout that a job may take to yield before its process is replaced."""
    max_restarts: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Restarts within window_s after which it is held: tried again only every backoff_max_s."""
    window_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds over which restarts are counted."""
    backoff_min_s: Annotated[float, Field(gt=0, le=3600)] = 0.2
    """Seconds to pause before the second restart in a row; the first is immediate. Doubled for each further restart."""
    backoff_max_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Longest pause between two restarts, and the pause while it is held, in seconds."""
    restart: Literal["permanent", "transient", "temporary"] = "permanent"
    """permanent: restart it after every exit. transient: not after exit code 0. temporary: never, for one-time
    preparations."""
    shutdown_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Seconds to finish its jobs when it is stopped. 0: shutdown_s of [supervisor]."""
    after: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Names of entries that must be ready, or have ended for good, before it starts. Does not apply to restarts."""
    strategy: Literal["one_for_one", "rest_for_one", "one_for_all"] = "one_for_one"
    """Who is restarted when one process crashes. one_for_one: only that one. rest_for_one: also those after it.
    one_for_all: all, in order."""
    strategy_group: OptionalName = ""
    """Entries with the same group follow its strategy together, in the order of this file. Empty: only the processes of
    this entry."""
    min: Annotated[int, Field(ge=0, le=1000)] = 0
    """Fewest processes that scaling leaves, by the signal TTOU or by load."""
    max: Annotated[int, Field(ge=0, le=1000)] = 0
    """Most processes. Above 0 their number follows the load, starting with min (or count). 0: count processes, until
    someone scales it."""
    scale_wait_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Seconds that jobs may wait in the queue before a process is added. Less than a process takes to start makes no
    sense."""
    scale_idle_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds with one process more than the load needs before one is drained. Long, because starting one costs more
    than keeping it."""
    env: dict[str, str] = {}
    """Environment variables added for the process, such as { TZ = "UTC" }."""
    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """A third-party program with its arguments, supervised like our own actors. {namespace} {type} {slot} are replaced,
    and {redis_url} without its password, since every user can read arguments. The whole URL is in HERO_REDIS_URL."""
    user: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$")] = ""
    """User name or number whose rights and groups it gets; it must be able to reach the store. Only root can set this.
    Empty: as the supervisor."""
    cwd: str = ""
    """Folder that it runs in. Empty: that of the supervisor."""
    nice: Annotated[int, Field(ge=-20, le=19)] = 0
    """Scheduling priority from -20 (first) to 19 (last); below 0 only as root. 0: as the supervisor."""
    cpu_affinity: Annotated[tuple[Annotated[int, Field(ge=0, le=8191)], ...], Field(strict=False)] = ()
    """Processors that it may run on, such as [0, 1]. Empty: as the supervisor."""
    memory_max: Annotated[str, StringConstraints(pattern=r"^[0-9]+([kmg]b?|b)?$")] = "0"
    """Memory (heap, stacks) at which the kernel refuses more, to it and to each process it starts. Bytes, or with kb,
    mb, gb. "0": no limit."""

    allow: AllowSettings = AllowSettings()
    """What its scripts may do; see [actors.allow]. Without the table they may nothing but use their scratch folder."""

    @property
    def base_name(self) -> str:
        """`name`, or the type if no name is given."""
        return self.name or self.type

    @property
    def memory_max_bytes(self) -> int:
        """`memory_max` in bytes; 0 for no limit."""
        digits = self.memory_max.rstrip("kmgb")
        return int(digits) << {"k": 10, "m": 20, "g": 30}.get(self.memory_max[len(digits) :][:1], 0)

    @model_validator(mode="after")
    def _memory_is_enough(self) -> Self:
        if 0 < self.memory_max_bytes < 32 << 20:
            raise ValueError(f"memory_max ({self.memory_max}) should be at least 32mb; did you leave out the unit?")
        return self

    @model_validator(mode="after")
    def _command_takes_arguments_only(self) -> Self:
        ours = (
            *("lanes", "group", "by_context", "legacy_queues", "max_jobs", "max_rss_bytes"),
            *("memory_bytes", "max_result_bytes", "engine", "isolation", "missing_engine", "allow"),
            *_OBJECTS,
        )
        given = [name for name in ours if getattr(self, name) != type(self).model_fields[name].default]
        if self.command and given:
            raise ValueError(
                f"{', '.join(given)}: only our own actors know this; use the arguments of the command instead"
            )
        return self

    @model_validator(mode="after")
    def _only_osis_has_objects(self) -> Self:
        given = [name for name in _OBJECTS if getattr(self, name) != type(self).model_fields[name].default]
        if given and self.type != "osis":
            raise ValueError(f"{', '.join(given)}: only scripts of type osis have objects")
        return self

    @model_validator(mode="after")
    def _command_has_no_password(self) -> Self:
        if any(_has_store_password(word) for argument in self.command for word in argument.split()):
            raise ValueError(
                "command holds the URL of a store with its password, and every user of the machine can read arguments; "
                "have the program read HERO_REDIS_URL from its environment (env)"
            )
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


def _has_store_password(word: str) -> bool:
    scheme = _STORE_URL.search(word)
    if scheme is None:
        return False
    rest = word[scheme.end() :]
    user = rest.rpartition("@")[0]
    return bool(user.partition(":")[2]) or "sentinel_password=" in rest.lower()
