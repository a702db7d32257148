"""The operator's settings for child processes: environment variables of the actor, set by `env` in the actor's table.

Engines with further settings derive from `ChildSettings`.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from hero_engine.errors import EngineUnavailable

_MIB = 1024 * 1024


def setting(variable: str, read: Callable[[str], Any], default: str = "") -> Any:
    """Declare a field that is read from a variable; its default is what `read` makes of the default text.

    Args:
        variable: Name of the variable.
        read: Turns its text into the value, and raises ValueError with what it should be.
        default: Text to read if the variable is not set.
    """
    return field(default=read(default), metadata={"variable": variable, "read": read})


def count(default: int, *, least: int = 0, unit: int = 1) -> Callable[[str], int]:
    """Make a reader of numbers; an empty variable gives the default."""

    def read(text: str) -> int:
        if not text:
            return default * unit
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise ValueError(f"it must be a whole number of {least} or more")
        return int(text) * unit

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSettings:
    """Settings of the children of one engine.

    Attributes:
        jobs_per_child: How many jobs a child may run, as long as they leave nothing behind.
        memory_bytes: Address space of a child; 0 for no limit. The variable is in MiB.
        cpu_s: Processor time of a job, in seconds; 0 for no limit.
        files: Open files of a child; 0 for the actor's limit.
        processes: Processes of the child's user on the whole machine, as the kernel counts them; 0 for no limit.
    """

    #: Name of the engine, for errors.
    ENGINE: ClassVar[str] = "children"
    #: What Python's small objects take in a template that has loaded the engine; see `large_pages`.
    TEMPLATE_BYTES: ClassVar[int] = 4 * _MIB

    jobs_per_child: int = setting("HERO_CHILD_JOBS", count(1000, least=1))
    memory_bytes: int = setting("HERO_CHILD_MEMORY_MIB", count(2048, unit=_MIB))
    cpu_s: int = setting("HERO_CHILD_CPU_S", count(0))
    files: int = setting("HERO_CHILD_FILES", count(1024))
    processes: int = setting("HERO_CHILD_PROCESSES", count(0))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Args:
            environ: Environment variables. One that is absent gives the field's default.

        Returns:
            The settings.

        Raises:
            EngineUnavailable: A value is invalid; the message names the variable.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata.get("variable", "")
            if (text := environ.get(variable)) is not None:
                try:
                    values[item.name] = item.metadata["read"](text)
                except ValueError as e:
                    raise EngineUnavailable(
                        cls.ENGINE, f"{variable} is {text!r:.80}: {e}", "Correct it in the env of the actor's entry."
                    ) from e
        return cls(**values)

    def limit_child(self) -> None:
        """Set the limits of this process that hold for all of its jobs."""
        lower_limit(resource.RLIMIT_CORE, 0)
        for which, limit in (
            (resource.RLIMIT_AS, self.memory_bytes),
            (resource.RLIMIT_NOFILE, self.files),
            (resource.RLIMIT_NPROC, self.processes),
        ):
            if limit:
                lower_limit(which, limit)

    def limit_job(self) -> None:
        """Set the limit of processor time for the next job of this process."""
        if self.cpu_s:
            # Only the soft limit: at the hard one the signal is SIGKILL, which does not show the reason. What this
            # process has used so far does not count.
            used_s = math.ceil(time.process_time())
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (used_s + self.cpu_s, hard))


def lower_limit(which: int, limit: int) -> None:
    """Lower a hard limit of this process, so that a script cannot raise it again. A limit that is lower stays.

    Args:
        which: `resource.RLIMIT_...`
        limit: The new limit, in the unit of that resource.
    """
    _, hard = resource.getrlimit(which)
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (lowest, lowest))
