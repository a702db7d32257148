"""The contract between an actor and the engine that runs its scripts.

An actor makes one engine at its start and runs every script with it, from one thread per lane. Each run ends in an
`Outcome`, also when the script fails. An exception is a defect of the engine, and the actor reports it as one.

An engine must end a run at its deadline, and soon after `cancel()`. If it does neither, the actor has to end its own
process, because a thread cannot be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from hero_engine.rights import ScriptRights


# Not frozen: one is made for every job, and a frozen one takes four times as long to make.
@dataclass(slots=True, kw_only=True)
class Script:
    """The script to run. Treat it as immutable.

    Attributes:
        source: Source text.
        name: Name for the engine's messages; "" for a script without a name.
    """

    source: str
    name: str = ""

    @property
    def text(self) -> str:
        """The source without the byte order mark that some editors write, which no language reads."""
        return self.source.removeprefix("\ufeff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. An engine ignores a limit that it cannot enforce, but never the timeout.

    Attributes:
        timeout_s: Longest run time, in seconds.
        operations: Maximum number of steps, in the engine's own unit; None for no limit.
        memory_bytes: Maximum memory that the run may hold; None for the engine's default.
        result_bytes: Largest result, in bytes of text. A larger one is `Failed` of kind `result_too_large`. The actor
            checks every result; an engine that knows the limit makes no larger one first.
    """

    timeout_s: float
    operations: int | None = None
    memory_bytes: int | None = None
    result_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The script ran to its end.

    Attributes:
        output: The text of a scalar result, the JSON of an array or map, "" for no result.
        output_json: The JSON of the typed result; None if the result is the string `output` itself, or nothing.
    """

    output: str
    output_json: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The script, or the engine under it, ended in an error.

    Attributes:
        kind: The engine's name for this kind of error.
        message: What went wrong.
        line: Line in the script, from 1, if known.
        column: Column in the script, from 1, if known.
        permanent: A retry would fail in the same way; for example, the script does not compile.
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
        after_s: The timeout that was reached, in seconds.
    """

    after_s: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """`RunHandle.cancel` ended the run."""


Outcome: TypeAlias = Done | Failed | TimedOut | Stopped


class RunLog(Protocol):
    """Receives what a running script prints and reports. Called in the thread that runs the script."""

    def line(self, level: str, text: str) -> None:
        """Receive output.

        Args:
            level: "info" for printed text, "debug" for debug output.
            text: One line, or several.
        """

    def progress(self, done: float, total: float, text: str) -> None:
        """Receive a progress report.

        Args:
            done: How much is done, in the script's own unit.
            total: How much there is to do, in the same unit.
            text: What the script is doing.
        """


class RunHandle(Protocol):
    """One run, as seen from other threads."""

    def cancel(self) -> None:
        """End the run soon, or before it starts. Safe to call from any thread, and more than once."""


class Engine(Protocol):
    """Runs scripts of one language. Thread-safe: one engine serves all lanes of an actor."""

    @property
    def name(self) -> str:
        """Name in the registry, or the specification that the engine was made from."""

    @property
    def version(self) -> str:
        """Version of the program or library that runs the scripts."""

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
            constants: Names that the script can read everywhere and cannot change. Values are None, bool, int, float,
                str, bytes, and lists and string-keyed maps of these.
            limits: What the run may use.
            run: An unused handle from this engine's `new_run`.
            log: Receives the script's output; None to discard it.

        Returns:
            How the run ended.
        """


def is_isolated(engine: Engine) -> bool:
    """Whether a script that crashes ends a process of its own, and not the actor's.

    An engine says so by an attribute `isolated` that is true.
    """
    return bool(getattr(engine, "isolated", False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The running job that makes a request. The engine fills this in; the script has no influence on it.

    Attributes:
        job_id: The job.
        caller_id: The caller who submitted it.
        context_id: The context it runs in.
        deadline_mono: When the job must end, on the clock of `time.monotonic`.
        check: Raises `CallEnded` when the job must end, so that a wait for the store ends soon; None if the engine
            cannot tell. Then no request waits for longer than two seconds.
        traceparent: The span of its run in a distributed trace; "" if it is in none.
    """

    job_id: str
    caller_id: str
    context_id: str
    deadline_mono: float
    check: Callable[[], None] | None = field(default=None, compare=False)
    traceparent: str = ""


class StoreAccess(Protocol):
    """What scripts may request of the store, through their actor: jobs, and values that outlive a run."""

    def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Carry out a script's request. Safe to call from any thread.

        Args:
            asker: The job that makes the request; it reaches nothing beyond its own caller and context.
            method: `job.*` or `store.*`.
            params: JSON values, unchecked.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is not allowed, or cannot be carried out.
        """


@runtime_checkable
class AsksStore(Protocol):
    """An engine whose scripts may use jobs and values of the store. Other engines need not have this method."""

    def give_access(self, access: StoreAccess) -> None:
        """Receive the access to the store, before the first run.

        Args:
            access: The actor's.
        """


@runtime_checkable
class OffersFunctions(Protocol):
    """An engine whose scripts may call functions that reach beyond the script. Other engines need not have this."""

    def give_rights(self, rights: ScriptRights) -> None:
        """Receive what scripts may do, before the first run.

        Args:
            rights: The operator's table for this actor.

        Raises:
            EngineUnavailable: The table names a family of functions that is not installed or does not load.
        """
