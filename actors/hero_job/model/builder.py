"""Builds a job field by field. Pure.

Source: JobBuilder of the Rust system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from hero_job.model.fields.routing import Priority, ScriptType
from hero_job.model.job import DEFAULT_LIMITS, Job, JobLimits
from hero_job.model.signatures import Signature


class JobBuilder:
    """Collects the fields of a job; every setter returns the builder.

    Args:
        limits: Limits of the deployment.
    """

    __slots__ = ("_fields", "_limits")

    def __init__(self, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self._fields: dict[str, Any] = {}
        self._limits = limits

    def _set(self, name: str, value: object) -> Self:
        self._fields[name] = value
        return self

    def id(self, value: str) -> Self:
        """Set the id, which makes it harmless to create the job twice. Without one, `build` makes a UUID."""
        return self._set("id", value)

    def caller_id(self, value: str) -> Self:
        """Set the submitter, usually a public key."""
        return self._set("caller_id", value)

    def context_id(self, value: str) -> Self:
        """Set the context that it runs for, usually a public key."""
        return self._set("context_id", value)

    def script(self, value: str) -> Self:
        """Set the source text."""
        return self._set("script", value)

    def script_type(self, value: ScriptType | str) -> Self:
        """Set the kind of actor that runs it."""
        return self._set("script_type", value)

    def timeout(self, seconds: float) -> Self:
        """Set the longest run time, in seconds."""
        return self._set("timeout", seconds)

    def retries(self, count: int) -> Self:
        """Set how often a failed run is repeated."""
        return self._set("retries", count)

    def args(self, texts: Sequence[str]) -> Self:
        """Set the arguments, which the script reads as `ARGS`."""
        return self._set("script_args", tuple(texts))

    def memory_bytes(self, most: int) -> Self:
        """Let it hold no more memory than this; the limit of the actor stands if it is lower."""
        return self._set("memory_bytes", most)

    def concurrent(self, value: bool) -> Self:
        """Set the flag that the Rust system carries; it changes nothing here."""
        return self._set("concurrent", value)

    def log_path(self, value: str) -> Self:
        """Set the file that also receives the printed lines."""
        return self._set("log_path", value)

    def env_vars(self, values: Mapping[str, str]) -> Self:
        """Set all environment variables of the script."""
        return self._set("env_vars", dict(values))

    def env_var(self, name: str, value: str) -> Self:
        """Add one environment variable of the script."""
        self._fields.setdefault("env_vars", {})[name] = value
        return self

    def prerequisites(self, job_ids: Iterable[str]) -> Self:
        """Set the ids of the jobs that must finish first."""
        return self._set("prerequisites", tuple(job_ids))

    def group(self, value: str) -> Self:
        """Let only actors of this group run it."""
        return self._set("group", value)

    def instance(self, value: str) -> Self:
        """Let only this instance of the group run it."""
        return self._set("instance", value)

    def priority(self, value: Priority | str) -> Self:
        """Set where in its queue it goes."""
        return self._set("priority", value)

    def not_before(self, value: datetime | str) -> Self:
        """Set the earliest start, with its zone."""
        return self._set("not_before", value)

    def delay(self, seconds: float) -> Self:
        """Set the earliest start, in seconds after the submitter starts it."""
        return self._set("delay_s", seconds)

    def expires(self, seconds: float) -> Self:
        """End it as expired if it does not run within this many seconds after the submitter starts it."""
        return self._set("expires_s", seconds)

    def unique(self, key: str, for_s: float | None = None) -> Self:
        """Allow one open job with this key, or with `for_s` one job in this many seconds."""
        return self._set("unique_key", key)._set("unique_for_s", for_s)

    def concurrency(self, key: str, most: int = 1) -> Self:
        """Let at most `most` jobs with this key run simultaneously."""
        return self._set("concurrency_key", key)._set("concurrency_max", most)

    def rate(self, key: str, most: int, window_s: float) -> Self:
        """Let at most `most` jobs with this key start in `window_s` seconds."""
        return self._set("rate_key", key)._set("rate_max", most)._set("rate_window_s", window_s)

    def run_after_failure(self, value: bool = True) -> Self:
        """Run it even if a prerequisite has failed."""
        return self._set("run_after_failure", value)

    def traceparent(self, value: str) -> Self:
        """Make its spans part of a distributed trace: the span of the submitter, as W3C writes it."""
        return self._set("traceparent", value)

    def signatures(self, values: Iterable[Signature | Mapping[str, str]]) -> Self:
        """Set its signatures; `sign_job` signs a complete job."""
        return self._set("signatures", tuple(values))

    def build(self) -> Job:
        """Return the job.

        Raises:
            JobInvalid: A field is missing or wrong; the error names it.
        """
        return Job.from_fields(self._fields, self._limits)
