"""The settings of the actors: one `[[actors]]` entry.

Owned here: names, types, defaults and ranges of an entry. What entries must agree on is in `relations.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hero_config.model.section import ActorType, OptionalName, Section


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
    missing_engine: Literal["fail", "wait"] = "fail"
    """While its engine is not installed, jobs fail at once or wait."""
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
        ours = (
            *("lanes", "group", "by_context", "legacy_queues", "max_jobs", "max_rss_bytes"),
            *("engine", "missing_engine"),
        )
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
