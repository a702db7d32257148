"""The values that actors and the store exchange: who an actor is, what a lane claims, how a job ended. Plain data.

Built and read by `actor_operations.py`, used by the lanes and by recovery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorEntry:
    """How an incarnation describes itself when it joins the registry; `ActorPresence` explains the fields.

    Attributes:
        spare_lanes: How many more lanes it may start while scripts wait for jobs; recovery reads their claimed lists.
    """

    incarnation: str
    name: str
    script_type: ScriptType
    host: str
    pid: int
    lanes: int
    engine: str
    engine_version: str
    group: str | None = None
    instance: str | None = None
    started_at: str | None = None
    unavailable: str | None = None
    spare_lanes: int = 0


@dataclass(slots=True)
class ClaimedOptions:
    """What a claimed job that sets options needs beyond its script. Texts from the hash; None if the hash lacks it.

    Attributes:
        retries: How often a failed run is repeated.
        failures: How many runs have failed so far.
        outputs: Outputs of its prerequisites, flat: id, output, output_json, id, output ...
        log_path: File below the deployment's log folder that also receives the printed lines.
        signatures: Its signatures, as a JSON array.
        memory_bytes: Most memory that it may hold.
        suspect: Set if it may have ended the actor that ran it before.
        args: Its arguments, as a JSON array.
        traceparent: The span of its submitter.
        traces: The same of its prerequisites, of those that have one.
    """

    retries: str | None
    failures: str | None
    outputs: list[str | None]
    log_path: str | None
    signatures: str | None
    memory_bytes: str | None
    suspect: str | None = None
    args: str | None = None
    traceparent: str | None = None
    traces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ClaimedJob:
    """A job that a lane has claimed. Its fields are unchecked texts from the hash; None means the hash lacks the field.

    Attributes:
        id: The job.
        attempt: Fencing token, as text; the settlement must repeat it.
        script_type: In any case.
        script: Source text.
        caller_id: The submitter.
        context_id: The context that it runs for.
        timeout: Seconds, as text.
        env_vars: JSON object, as text.
        queued_at: Since when it might run; None if that is not known.
        options: None for a plain job.
    """

    id: str
    attempt: str
    script_type: str | None
    script: str | None
    caller_id: str | None
    context_id: str | None
    timeout: str | None
    env_vars: str | None
    queued_at: str | None = field(default=None, compare=False)  # an answer that is sent again lacks it
    options: ClaimedOptions | None = None

    @property
    def retries(self) -> int:
        """How often a failed run is repeated."""
        return int(self.options.retries or 0) if self.options else 0

    @property
    def failures(self) -> int:
        """How many runs have failed so far."""
        return int(self.options.failures or 0) if self.options else 0

    @property
    def prerequisites(self) -> dict[str, str | None]:
        """Outputs of its prerequisites by id; None for one without output or past its retention."""
        if not self.options:
            return {}
        flat = self.options.outputs
        return {str(job_id): output for job_id, output in zip(flat[::3], flat[1::3], strict=True)}

    @property
    def typed_outputs(self) -> dict[str, tuple[str | None, str | None]]:
        """Output and typed output, as JSON, of its prerequisites by id. A text has no JSON beside it."""
        flat = self.options.outputs if self.options else []
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return {str(job_id): (output, as_json) for job_id, output, as_json in rows}

    @property
    def args(self) -> str | None:
        """Its arguments, as a JSON array."""
        return self.options.args if self.options else None

    @property
    def log_path(self) -> str | None:
        """File below the deployment's log folder that also receives the printed lines."""
        return self.options.log_path if self.options else None

    @property
    def signatures(self) -> str | None:
        """Its signatures, as a JSON array."""
        return self.options.signatures if self.options else None

    @property
    def memory_bytes(self) -> str | None:
        """Most memory that it may hold, in bytes, as text."""
        return self.options.memory_bytes if self.options else None

    @property
    def is_suspect(self) -> bool:
        """Whether it must run alone, because it may have ended the actor that ran it before."""
        return self.options is not None and self.options.suspect is not None


@dataclass(slots=True)
class Settlement:
    """How a run of a claimed job ended.

    Attributes:
        job_id: The job.
        attempt: The fencing token of the claim.
        status: A terminal status.
        output: Result as text, if the job finished.
        output_json: The typed result as JSON, where it says more than `output`.
        error: Message, if the job did not finish.
        error_kind: Kind of the error.
        error_line: Line in the script, from 1.
        error_column: Column in the script, from 1.
        retry_in_s: Repeat the failed run after this many seconds; None ends the job.
        ended_its_process: A suspect ended the process that it ran in alone: charge it, and redeliver it or end it.
    """

    job_id: str
    attempt: str
    status: JobStatus
    output: str = ""
    output_json: str = ""
    error: str = ""
    error_kind: str = ""
    error_line: int | None = None
    error_column: int | None = None
    retry_in_s: float | None = None
    ended_its_process: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to one turn of a lane.

    Attributes:
        alive: False if the incarnation was declared dead: it must stop and start as a new one.
        refused: Jobs whose settlement did not count because this incarnation no longer holds them.
        jobs: What to run next, in order.
        at: When that was, by the server's clock, ISO 8601 in UTC.
    """

    alive: bool
    refused: list[str]
    jobs: list[ClaimedJob]
    at: str = field(default="", compare=False)  # two equal turns are not at the same time


@dataclass(frozen=True, slots=True)
class CountReport:
    """What an actor has counted since its last report.

    Attributes:
        number: Of the report; the store counts each number of an incarnation once.
        more: Counter, without the script type -> how many more; see `JobCounts.add`.
    """

    number: int
    more: Mapping[str, int]

    def arguments(self, suffix: str) -> list[str | int]:
        """The values of the script that takes it: number, how many fields, and each field with its value.

        Args:
            suffix: The script type of the actor, in lower case.
        """
        fields = [part for name, more in self.more.items() for part in (f"{suffix}:{name}", more)]
        return [self.number, len(self.more), *fields]


class Recovery(NamedTuple):
    """What the recovery of an incarnation did.

    Attributes:
        alive: True if nothing was done because its presence has not expired.
        handed_back: Jobs that returned to the head of their queues.
        more: The incarnation holds more jobs; the same operation hands back the next ones.
    """

    alive: bool
    handed_back: list[str]
    more: bool


class Order(NamedTuple):
    """A request to an actor, sent through a control list.

    Attributes:
        command: "stop" is the only one.
        job_id: The job to stop.
        attempt: The run to stop, by its fencing token; None, from a foreign client, for whichever there is.
    """

    command: str
    job_id: str
    attempt: str | None = None
