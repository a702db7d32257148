"""What a language supplies for its children, and what a child is told about the job. Plain data.

The template makes the program once and every child inherits it, so whatever it has loaded is shared.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

from hero_engine.children.channel import ParentChannel
from hero_engine.engine import Limits, Outcome, Script


@dataclass(slots=True, kw_only=True)
class ChildJob:
    """One run, as it is sent to a child.

    Attributes:
        script: The script.
        constants: Names that the script can read.
        limits: What the run may use.
        deadline_mono: When the actor kills the child, on the clock of `time.monotonic`, which all processes share.
        check_only: Look for errors without running the script.
    """

    script: Script
    constants: Mapping[str, object]
    limits: Limits
    deadline_mono: float
    check_only: bool = False

    def pack(self) -> bytes:
        """Write it for `unpack`. As a tuple, because pickling the objects takes eight times as long."""
        script, limits = self.script, self.limits
        return pickle.dumps(
            (
                (script.source, script.name),
                self.constants,
                (limits.timeout_s, limits.operations, limits.memory_bytes, limits.result_bytes),
                self.deadline_mono,
                self.check_only,
            ),
            protocol=5,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read what `pack` has written in the actor, so it is trusted."""
        (source, name), constants, limits, deadline_mono, check_only = pickle.loads(data)
        timeout_s, operations, memory_bytes, result_bytes = limits
        return cls(
            script=Script(source=source, name=name),
            constants=constants,
            limits=Limits(
                timeout_s=timeout_s, operations=operations, memory_bytes=memory_bytes, result_bytes=result_bytes
            ),
            deadline_mono=deadline_mono,
            check_only=check_only,
        )


class ChildProgram(Protocol):
    """Runs scripts of one language in a child process.

    Attributes:
        version: Version of the engine in the child.
        loaded: What the template has loaded, for the log.
    """

    version: str
    loaded: list[str]

    def prepare(self, channel: ParentChannel) -> None:
        """Do once, in the template, what every child would otherwise do in memory of its own.

        Args:
            channel: The children's, not connected yet.

        Raises:
            EngineUnavailable: No script can run.
        """

    def run(self, job: ChildJob, channel: ParentChannel) -> Outcome:
        """Run a script, in the child. An exception counts as a failure of the script.

        Args:
            job: The run.
            channel: The log of the run, and the way to ask the actor.
        """

    def is_clean(self, job: ChildJob, outcome: Outcome) -> bool:
        """Whether a child that has run this job may run another."""


#: Makes the program in the template, from the settings that were given to the pool. Raises `EngineUnavailable`.
ProgramFactory: TypeAlias = Callable[[Any], ChildProgram]
