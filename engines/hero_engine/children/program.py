"""What a language supplies for its children, and what a child is told about the job. Plain data.

The template makes the program once and every child inherits it, so whatever it has loaded is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

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
