"""What passes between the store and those who run jobs: who they are, what they claim, how it ended. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorEntry:
    """What an incarnation tells of itself when it joins; the fields are those of `ActorPresence`."""

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


@dataclass(slots=True)
class ClaimedJob:
    """A job that a lane has claimed, with its fields as they came: `execute` reads and checks them.

    Attributes:
        id: The job.
        attempt: Fencing token, as text; goes back with the settlement.
        script_type: In whatever case; None where the hash has none. So for the other fields.
        script: Source text.
        caller_id: Who asks.
        context_id: For which context.
        timeout: Seconds, as text.
        env_vars: JSON object, as text.
        more: None for a plain job; else retries, failures, the outputs of prerequisites, log path, signatures.
    """

    id: str
    attempt: str
    script_type: str | None
    script: str | None
    caller_id: str | None
    context_id: str | None
    timeout: str | None
    env_vars: str | None
    more: list[Any] | None = None

    @property
    def retries(self) -> int:
        """How often a failed run is repeated."""
        return int(self.more[0] or 0) if self.more else 0

    @property
    def failures(self) -> int:
        """How often it has failed before."""
        return int(self.more[1] or 0) if self.more else 0

    @property
    def prerequisites(self) -> dict[str, str | None]:
        """Outputs of its prerequisites by id; None for one that ended without, or is past its retention."""
        return dict(zip(self.more[2][::2], self.more[2][1::2], strict=True)) if self.more else {}

    @property
    def log_path(self) -> str | None:
        """File below the deployment's log folder that its printed lines also go to."""
        return self.more[3] if self.more and len(self.more) > 3 else None

    @property
    def signatures(self) -> str | None:
        """Who has signed it, as a JSON array."""
        return self.more[4] if self.more and len(self.more) > 4 else None


@dataclass(slots=True)
class Settlement:
    """How a claimed job ended.

    Attributes:
        job_id: The job.
        attempt: The token of the claim.
        status: A terminal status.
        output: Result as text, of a finished job.
        output_json: The typed result as JSON, where it says more than `output`.
        error: Message of any other.
        error_kind: Kind of the error.
        error_line: Line in the script, from 1.
        error_column: Column in the script, from 1.
        retry_in_s: Repeat the failed job after so many seconds; None to end it.
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


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a lane brought.

    Attributes:
        alive: False when the incarnation was declared dead: it must stop and start anew.
        refused: Jobs whose settlement did not count, since they are no longer this incarnation's.
        jobs: What to run next, in order.
    """

    alive: bool
    refused: list[str]
    jobs: list[ClaimedJob]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovery of an incarnation did.

    Attributes:
        alive: True when it was left alone, since its presence has not expired.
        handed_back: Jobs put back at the head of their queues.
        lost: Jobs ended in error, since too many holders had died.
    """

    alive: bool
    handed_back: list[str]
    lost: list[str]


@dataclass(frozen=True, slots=True)
class Order:
    """What an actor is told through a control list.

    Attributes:
        command: "stop" is the only one.
        job_id: The job to stop.
    """

    command: str
    job_id: str
