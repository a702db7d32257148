"""Which actor processes there should be, as data made from the settings.

Owned here: the command line and environment of an actor, and the names of its slots. `service.py` makes the specs;
`children/supervise.py` compares them with what runs. Pure and frozen: a changed config gives another value, and the
difference says what to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hero_config.model.settings import ActorSettings, Settings
from hero_process.mark import MARK
from hero_supervisor.object_schemas import rights_table
from hero_supervisor.policy.child_state import Restart, RestartLimits
from hero_supervisor.process.launch import LaunchOptions
from hero_supervisor.process.third_party import Placeholders, fill_slot, fill_slots

_PREFIX = "HERO_"
_KEPT = frozenset({"HERO_REDIS_URL"})
# These are between the service and its service manager.
_SERVICE_ONLY = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID"}
)

#: What differs between the environments of forked actors. Any other variable may change how the code is loaded, so an
#: actor with others is executed.
OWN_VARIABLES = frozenset({"HERO_REDIS_URL", "HERO_ALLOW", MARK})
# -P: a file in the folder where the service runs must not be taken for the module.
_ACTOR = (sys.executable, "-P", "-m", "hero_actor")


class Strategy(StrEnum):
    """Which processes of a group are restarted when one of them has crashed."""

    ONE_FOR_ONE = "one_for_one"
    """That process."""
    REST_FOR_ONE = "rest_for_one"
    """That process and those after it, in the order of the config."""
    ONE_FOR_ALL = "one_for_all"
    """All processes of the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec:
    """One kind of actor process.

    Attributes:
        name: Its processes are called `NAME-1`, `NAME-2` and so on.
        script_type: Script type that it serves, in lower case; empty for a program that serves none.
        command: Program and arguments. A program that speaks the control protocol also gets `--name`, `--incarnation`
            and `--control-fd`.
        group: Group whose queue it serves too. Each process is then an instance of the group, named after its slot.
        count: Number of processes.
        control: Whether it speaks the control protocol (ready, beat, drain). Any other program counts as ready once it
            runs, and is drained by TERM.
        env: Environment variables that override the service's own.
        launch: User, folder, priority and limits of its processes.
        limits: How it is watched, restarted and stopped.
        ordered: Two simultaneous processes would break the order of its queue, so a process is not replaced before it
            has ended.
        after: Entries whose processes must be up before these start.
        strategy: Which processes are restarted together with one that has crashed.
        strategy_group: Entries with this group name form one group for that; empty for this entry alone.
        scale_min: Lowest number of processes that scaling leaves.
        scale_max: Highest number of processes that scaling makes; 0 when the entry is not scaled automatically.
        scale_wait_s: Wait in the queue, in seconds, above which a process is added.
        scale_idle_s: Seconds of low use after which a process is removed.
    """

    name: str
    script_type: str
    command: tuple[str, ...]
    group: str = ""
    # Not compared: when only the count changes, the processes that stay are not replaced.
    count: int = field(default=1, compare=False)
    control: bool = True
    # Not shown in the representation, like everything that may hold a password.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    launch: LaunchOptions = field(default_factory=LaunchOptions)
    # Not compared: only the supervisor uses these, so a change needs no new process.
    limits: RestartLimits = field(default_factory=RestartLimits, compare=False)
    ordered: bool = field(default=False, compare=False)
    after: tuple[str, ...] = field(default=(), compare=False)
    strategy: Strategy = field(default=Strategy.ONE_FOR_ONE, compare=False)
    strategy_group: str = field(default="", compare=False)
    scale_min: int = field(default=0, compare=False)
    scale_max: int = field(default=0, compare=False)
    scale_wait_s: float = field(default=1.0, compare=False)
    scale_idle_s: float = field(default=60.0, compare=False)

    @property
    def forkable(self) -> bool:
        """Whether the fork server can start its processes: our own program, placed and limited like the service."""
        own_program = self.control and self.command[: len(_ACTOR)] == _ACTOR
        return own_program and self.launch == LaunchOptions() and self.env.keys() <= OWN_VARIABLES

    @property
    def successor_first(self) -> bool:
        """Whether a new process may start beside the one that it replaces."""
        return self.control and not self.ordered

    def children(self) -> Iterable[ChildSpec]:
        """List the slots of its processes, in order."""
        return (ChildSpec(slot=f"{self.name}-{number}", actor=self) for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One process that should run.

    Attributes:
        slot: Its name, which stays when the process is replaced: `osis-1`.
        actor: What it runs.
    """

    slot: str
    actor: ActorSpec

    def argv(self, incarnation: str, control_fd: int | None) -> list[str]:
        """Make the command line of one start.

        Args:
            incarnation: Name of this start in Redis.
            control_fd: The child's end of the control socket; None for a program that does not speak the protocol.
        """
        if control_fd is None:
            return [fill_slot(part, self.slot) for part in self.actor.command]
        argv = [*self.actor.command, "--name", self.slot, "--incarnation", incarnation, "--control-fd", str(control_fd)]
        if self.actor.group:
            argv += ["--group", self.actor.group, "--instance", self.slot]
        return argv

    def environ(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Make the environment of the process.

        Args:
            inherited: The service's own environment.
        """
        own = self.actor.env
        return passed_on(inherited) | (dict(own) if self.actor.control else fill_slots(own, self.slot))


def passed_on(inherited: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of the service that all its processes inherit."""
    return {
        key: value
        for key, value in inherited.items()
        if key not in _SERVICE_ONLY and (key in _KEPT or not key.startswith(_PREFIX) or "__" not in key)
    }


def actor_specs(settings: Settings, redis_url: str) -> tuple[ActorSpec, ...]:
    """Make the specs of the configured actors.

    Args:
        settings: The settings of the service.
        redis_url: Where the actors find the store. They get it in the environment, since every user can read arguments.

    Returns:
        One spec per `[[actors]]` entry, in the same order.
    """
    return tuple(_actor_spec(actor, settings, redis_url) for actor in settings.actors)


def _actor_spec(actor: ActorSettings, settings: Settings, redis_url: str) -> ActorSpec:
    flags: dict[str, object] = {
        "--type": actor.type,
        "--namespace": settings.store.namespace,
        "--grace-s": actor.grace_s,
        "--lease-s": settings.supervisor.lease_s,
        "--max-redeliveries": settings.jobs.max_redeliveries,
        "--result-ttl-s": settings.jobs.result_ttl_s,
        "--failure-ttl-s": settings.jobs.failure_ttl_s,
        "--reply-ttl-s": settings.jobs.reply_ttl_s,
        "--log-level": settings.supervisor.log_level,
        # The service reads these lines and writes them to its own log, in its own format.
        "--log-format": "json",
    }
    if actor.lanes:
        flags["--lanes"] = actor.lanes
    if actor.engine:
        flags["--engine"] = actor.engine
    if actor.isolation != "thread":
        flags["--isolation"] = actor.isolation
    if actor.missing_engine != "fail":
        flags["--missing-engine"] = actor.missing_engine
    if "memory_bytes" in actor.model_fields_set:
        flags["--memory-bytes"] = actor.memory_bytes
    flags["--max-result-bytes"] = actor.max_result_bytes
    if actor.max_jobs:
        flags["--max-jobs"] = actor.max_jobs
    if actor.max_rss_bytes:
        flags["--max-rss-bytes"] = actor.max_rss_bytes
    if settings.jobs.log_dir:
        flags["--log-dir"] = settings.jobs.log_dir
    if actor.type == "osis":
        flags["--osis-max-object-bytes"] = actor.osis_max_object_bytes
    arguments = [part for flag, value in flags.items() for part in (flag, _text(value))]
    if actor.by_context:
        arguments.append("--by-context")
    if actor.legacy_queues:
        arguments.append("--legacy-queues")
    placeholders = Placeholders(redis_url=redis_url, namespace=settings.store.namespace, script_type=actor.type)
    command = (*_ACTOR, *arguments)
    # In the environment: it may hold the password of a server. Always set, so that the service's own does not count.
    folder = actor.cwd or os.getcwd()  # noqa: PTH109  a text
    env = {"HERO_REDIS_URL": redis_url, **actor.env, "HERO_ALLOW": rights_table(actor, folder)}
    if actor.command:
        command = tuple(map(placeholders.fill_argument, actor.command))
        env = {**placeholders.environ(), **{name: placeholders.fill(value) for name, value in actor.env.items()}}
    return ActorSpec(
        name=actor.base_name,
        script_type=actor.type,
        command=command,
        control=not actor.command,
        launch=LaunchOptions(
            user=actor.user,
            cwd=actor.cwd,
            nice=actor.nice,
            cpu_affinity=actor.cpu_affinity,
            memory_max_bytes=actor.memory_max_bytes,
        ),
        group=actor.group,
        count=max(actor.min, min(actor.count, actor.max)) if actor.max else actor.count,
        env=env,
        limits=RestartLimits(
            restart=Restart(actor.restart),
            max_restarts=actor.max_restarts,
            window_s=actor.window_s,
            backoff_min_s=actor.backoff_min_s,
            backoff_max_s=actor.backoff_max_s,
            overdue_s=actor.grace_s + 3.0,
            shutdown_s=actor.shutdown_s or settings.supervisor.shutdown_s,
            # The actor gives its running jobs the grace time, then hands them back.
            term_s=actor.grace_s + 2.0,
        ),
        ordered=actor.type == "osis" and not actor.by_context,
        after=actor.after,
        strategy=Strategy(actor.strategy),
        strategy_group=actor.strategy_group,
        scale_min=actor.min,
        scale_max=actor.max,
        scale_wait_s=actor.scale_wait_s,
        scale_idle_s=actor.scale_idle_s,
    )


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
