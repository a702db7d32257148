"""Turns a claimed job into its settlement: checks the fields, runs the script in the engine, states the outcome.

The lanes call `Executor.execute`; the beat calls `settle` for a job that does not yield. Apart from the engine this
module does no I/O: it uses neither store nor clock. Invariant: no script, no damaged job hash and no defect of an
engine raises out of here. Each ends in a settlement, and the lane goes on.
"""

from __future__ import annotations

import json
import logging
from typing import Any, assert_never

from hero_actor.lanes.quarantine import Quarantine
from hero_engine.engine import Done, Engine, Failed, Limits, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.host.environment import TRACEPARENT
from hero_engine.output import bounded
from hero_engine.process_run import CRASHED
from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.fields.wire_values import (
    parse_env_vars,
    parse_signatures,
    parse_texts,
    parse_timeout,
    parse_whole,
)
from hero_job.model.job import ScriptType
from hero_job.model.retries import retry_in_s
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ClaimedJob, Settlement
from hero_process.defects import log_failure

log = logging.getLogger(__name__)

#: The script of a health check. The actor answers it without its engine.
#: Source: the actor loop of the Rust system
PING = "ping"
PONG = "pong"

#: A longer message of an error is cut.
_MAX_ERROR_CHARS = 64 * 1024

#: Upper limit of a timeout that a foreign client may have written: ten years. Every clock and engine can add it to the
#: current time without an overflow.
_MAX_TIMEOUT_S = 315_360_000.0

_MAX_KEPT_LIMITS = 256


class Executor:
    """Runs the jobs of one actor. Thread-safe: all lanes share it.

    Args:
        engine: Runs the scripts.
        quarantine: Runs those of suspects.
        script_type: The script type of this actor. A job of another type ends in an error.
        memory_bytes: Memory that one job may hold, in bytes; None for the engine's default.
        max_result_bytes: Largest result of a job, in bytes.
    """

    __slots__ = (
        "_engine",
        "_limits",
        "_max_result_bytes",
        "_memory_bytes",
        "_quarantine",
        "_script_type",
        "_small_chars",
    )

    def __init__(
        self,
        engine: Engine,
        quarantine: Quarantine,
        script_type: ScriptType,
        *,
        memory_bytes: int | None,
        max_result_bytes: int,
    ) -> None:
        self._engine = engine
        self._quarantine = quarantine
        self._script_type = script_type
        self._memory_bytes = memory_bytes
        self._max_result_bytes = max_result_bytes
        self._small_chars = max_result_bytes // 4  # a character has at most four bytes
        # By what a job asks for: its timeout, and its memory if it sets options.
        self._limits: dict[str | tuple[str | None, str | None] | None, Limits] = {}

    def execute(self, job: ClaimedJob, run: RunHandle, log_to: RunLog | None = None) -> Settlement:
        """Run a job to its end in the calling thread.

        Args:
            job: The claimed job, with unchecked fields.
            run: A new handle of the engine.
            log_to: Receives what the script logs.

        Returns:
            How it ended. Nothing that a job does raises.
        """
        try:
            if job.script == PING:
                return Settlement(job.id, job.attempt, JobStatus.FINISHED, PONG)
            if job.script_type != self._script_type:
                self._check_type(job)
            options = job.options
            asked = (job.timeout, job.memory_bytes) if options else job.timeout
            limits = self._limits.get(asked) or self._keep_limits(asked, job)
            script, caller_id, context_id = job.script, job.caller_id, job.context_id
            if script is None or caller_id is None or context_id is None:
                raise JobInvalid(_first_missing(job), "is missing")
            if not _is_unicode(script):
                raise JobInvalid("script", "is not valid UTF-8")
            constants: dict[str, Any] = {
                "CALLER_ID": caller_id,
                "CONTEXT_ID": context_id,
                "JOB_ID": job.id,
                "ENV": {} if job.env_vars == "{}" else parse_env_vars(job.env_vars),
                # A plain job has none of these, and must not pay for them.
                "PREREQUISITES": job.prerequisites if options else {},
                "PREREQUISITE_VALUES": _typed_outputs(job) if options else {},
                "ARGS": parse_texts("script_args", job.args) if options else (),
                "SIGNATORIES": _signatories(job) if options else (),
            }
            if options and options.traceparent:
                constants |= self.trace_constants(job, options.traceparent)
            engine = self._quarantine.engine_for(job) if options else self._engine
            outcome = engine.run(
                Script(source=script, name=job.id), constants=constants, limits=limits, run=run, log=log_to
            )
            if isinstance(outcome, Done):
                if len(outcome.output) + len(outcome.output_json or "") > self._small_chars:
                    outcome = bounded(outcome, self._max_result_bytes)
                if isinstance(outcome, Done):
                    return _finished(job, outcome)
        except JobInvalid as e:
            log.warning("job.damaged", extra={"job": job.id, "field": e.field, "reason": e.reason})
            outcome = Failed("damaged", str(e))
        except EngineUnavailable as e:
            outcome = Failed("engine_failed", str(e))
        except Exception as e:  # noqa: BLE001 - logged
            # An engine must return an outcome for everything that a script does, so this is a defect of the engine.
            log_failure(log, "engine.raised", e, job=job.id, engine=self._engine.name)
            outcome = Failed("engine_defect", f"the engine raised {type(e).__name__}: {e}")
        settlement = settle(job, outcome)
        if isinstance(outcome, Failed) and outcome.kind == CRASHED and self._quarantine.holds(job):
            log.warning("job.crashed_alone", extra={"job": job.id, "reason": outcome.message})
            settlement.ended_its_process = True
        return settlement

    def trace_constants(self, job: ClaimedJob, traceparent: str) -> dict[str, str]:
        """What the script gets of the trace of its job: the span of the submitter, as this actor records none.

        Args:
            job: The claimed job.
            traceparent: Its field, unchecked; another program may have written it.
        """
        context = TraceContext.parse(traceparent)
        return {} if context is None else {TRACEPARENT: str(context)}

    def _check_type(self, job: ClaimedJob) -> None:
        """Refuse a job of another script type.

        Raises:
            JobInvalid: The type is missing, unknown, or not this actor's.
        """
        if job.script_type is None:
            raise JobInvalid("script_type", "is missing")
        if ScriptType.parse(job.script_type) is not self._script_type:
            raise JobInvalid(
                "script_type", f"is {job.script_type}, but the job was in a queue of {self._script_type.value} actors"
            )

    def _keep_limits(self, asked: str | tuple[str | None, str | None] | None, job: ClaimedJob) -> Limits:
        timeout_s = parse_timeout(job.timeout)
        if not timeout_s > 0:  # also true for NaN
            raise JobInvalid("timeout", f"must be above zero, not {shown(job.timeout)}")
        memory_bytes = parse_whole("memory_bytes", job.memory_bytes) or self._memory_bytes
        if memory_bytes is not None and memory_bytes < 1:
            raise JobInvalid("memory_bytes", f"must be above zero, not {shown(job.memory_bytes)}")
        if memory_bytes is not None and self._memory_bytes is not None:
            memory_bytes = min(memory_bytes, self._memory_bytes)
        if len(self._limits) >= _MAX_KEPT_LIMITS:
            self._limits.clear()
        self._limits[asked] = limits = Limits(
            timeout_s=min(timeout_s, _MAX_TIMEOUT_S), memory_bytes=memory_bytes, result_bytes=self._max_result_bytes
        )
        return limits


def timeout_of(job: ClaimedJob) -> float:
    """Return how long a job may run, in seconds.

    An invalid timeout counts as the default: such a job ends in an error before its script starts.
    """
    try:
        timeout_s = parse_timeout(job.timeout)
    except JobInvalid:
        timeout_s = 0.0
    return min(timeout_s, _MAX_TIMEOUT_S) if timeout_s > 0 else parse_timeout(None)


def settle(job: ClaimedJob, outcome: Failed | TimedOut | Stopped) -> Settlement:
    """Translate the outcome of a run that brought no result into a settlement for the store."""
    match outcome:
        case Failed(kind, message, line, column, permanent):
            return Settlement(
                job.id,
                job.attempt,
                JobStatus.ERROR,
                error=_clean(message),
                error_kind=_clean(kind),
                error_line=line,
                error_column=column,
                retry_in_s=None if permanent else _retry_in_s(job, kind),
            )
        case TimedOut(after_s):
            message = f"did not end within its timeout of {after_s:g} s"
            settlement = Settlement(job.id, job.attempt, JobStatus.ERROR, error=message, error_kind="timeout")
            settlement.retry_in_s = _retry_in_s(job, "timeout")
            return settlement
        case Stopped():
            return Settlement(job.id, job.attempt, JobStatus.STOPPED, error="stopped", error_kind="stopped")
    assert_never(outcome)


def _finished(job: ClaimedJob, done: Done) -> Settlement:
    output, output_json = done.output, done.output_json
    if not _is_unicode(output):
        return settle(job, Failed("result_not_presentable", "the result is not valid Unicode"))
    return Settlement(job.id, job.attempt, JobStatus.FINISHED, output, output_json or "")


def _retry_in_s(job: ClaimedJob, kind: str) -> float | None:
    return retry_in_s(kind, job.failures, job.retries) if job.options else None


def _first_missing(job: ClaimedJob) -> str:
    return next(name for name in ("script", "caller_id", "context_id") if getattr(job, name) is None)


def _clean(text: str) -> str:
    """Make an error text fit for the store: limit its length and escape lone surrogates."""
    if len(text) > _MAX_ERROR_CHARS:
        text = f"{text[:_MAX_ERROR_CHARS]} ... ({len(text)} characters)"
    return text if _is_unicode(text) else text.encode("utf-8", "backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _typed_outputs(job: ClaimedJob) -> dict[str, Any]:
    """The outputs of its prerequisites as the values that their scripts returned; a text where that is all there is."""
    values: dict[str, Any] = {}
    for job_id, (output, as_json) in job.typed_outputs.items():
        try:
            values[job_id] = output if not as_json else json.loads(as_json)
        except ValueError:
            values[job_id] = output  # another program has written it
    return values


def _signatories(job: ClaimedJob) -> tuple[str, ...]:
    return tuple(one.public_key for one in parse_signatures(job.signatures))
