"""The contract between an actor and what runs its scripts.

An actor makes one engine at its start and runs every script with it, from as many threads at once as it has lanes. An
engine never raises for what a script does: how a run ended is an `Outcome`. What does raise is the engine's own defect,
which the actor reports as such.

An engine must end a run at its deadline and soon after `cancel()`. One that does neither costs the actor its process:
a thread cannot be killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable


# Not frozen: one is made for every job, and a frozen one takes four times as long to make.
@dataclass(slots=True, kw_only=True)
class Script:
    """What is to be run; not to be changed.

    Attributes:
        source: Source text.
        name: Named in messages of the engine; "" for a script without a name.
    """

    source: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. An engine that cannot hold a limit ignores it, except for the time.

    Attributes:
        timeout_s: Longest run time, in seconds.
        operations: Most steps, in the engine's own unit; None for no limit.
        memory_bytes: Most memory held at once by the run; None for the engine's default.
    """

    timeout_s: float
    operations: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The script ran to its end.

    Attributes:
        output: Text of a scalar result, JSON of an array or map, "" for no result.
        output_json: JSON of the typed result; None when the result is the string `output` itself, or nothing.
    """

    output: str
    output_json: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The script, or the engine under it, ended in an error.

    Attributes:
        kind: The engine's name for this kind of error.
        message: What went wrong.
        line: Line in the script, from 1, where known.
        column: Column in the script, from 1, where known.
        permanent: It fails again however often it is run, like a script that does not compile.
    """

    kind: str
    message: str
    line: int | None = None
    column: int | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The deadline ended the run.

    Attributes:
        after_s: The limit that was reached, in seconds.
    """

    after_s: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """`RunHandle.cancel` ended the run."""


Outcome: TypeAlias = Done | Failed | TimedOut | Stopped


class RunLog(Protocol):
    """Where a running script's words go. Called in the thread that runs the script."""

    def line(self, level: str, text: str) -> None:
        """Take a line.

        Args:
            level: "info" for what it prints, "debug" for what it debugs.
            text: The line, or several.
        """

    def progress(self, done: float, total: float, text: str) -> None:
        """Take the news how far the script is.

        Args:
            done: So much is done, in the script's own unit.
            total: Of so much.
            text: What it is doing.
        """


class RunHandle(Protocol):
    """One run, as seen from other threads."""

    def cancel(self) -> None:
        """End the run soon, or before it begins. From any thread; more than once is harmless."""


class Engine(Protocol):
    """Runs scripts of one language. Thread-safe: one engine serves all lanes of an actor."""

    @property
    def name(self) -> str:
        """Name in the registry, or the specification it was made from."""

    @property
    def version(self) -> str:
        """Version of what runs the scripts."""

    def check(self, script: Script) -> Failed | None:
        """Look for errors that can be found without running the script.

        Args:
            script: The script.

        Returns:
            The first error, or None.
        """

    def new_run(self) -> RunHandle:
        """Make the handle of one run. It is used once."""

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script to its end in the calling thread.

        Args:
            script: The script.
            constants: Names the script sees everywhere and cannot change: None, bool, int, float, str, bytes, lists
                and string-keyed maps of these.
            limits: What the run may use.
            run: A handle of this engine's `new_run`, not used before.
            log: Where its words go; None to drop them.

        Returns:
            How it ended.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The running job that asks for something; told by the engine, never by its script.

    Attributes:
        job_id: The job.
        caller_id: Who gave it.
        context_id: For which context it runs.
        deadline_mono: When it is ended, on the clock of `time.monotonic`.
    """

    job_id: str
    caller_id: str
    context_id: str
    deadline_mono: float


class StoreAccess(Protocol):
    """What scripts may ask of the store, through their actor: jobs, and values that outlive a run."""

    def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Do what a script asks for. From any thread.

        Args:
            asker: The job that asks; nothing beyond its caller and context is reached.
            method: `job.*` or `store.*`.
            params: What JSON can say, unchecked.

        Returns:
            What JSON can say.

        Raises:
            AccessRefused: It cannot be done, and why.
        """


@runtime_checkable
class AsksStore(Protocol):
    """An engine whose scripts may ask for jobs and values. Others need not have this method."""

    def give_access(self, access: StoreAccess) -> None:
        """Take the way to the store, before the first run.

        Args:
            access: The actor's.
        """
