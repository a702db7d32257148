"""A job as its submitter describes it, and the limits that a deployment sets. Pure.

What the runtime adds to a job (status, output, times) is in `views.py`. Invariant: a `Job` that exists is valid.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hero_job.model.checks import (
    check_count,
    check_id,
    check_key,
    check_route,
    check_seconds,
    check_text,
    check_timeout,
    env_mapping,
    id_tuple,
    time_text,
)
from hero_job.model.errors import JobInvalid
from hero_job.model.routing import Priority, ScriptType
from hero_job.model.signatures import Signature, signature_tuple
from hero_job.model.spellings import CAMEL_CASE

__all__ = ["DEFAULT_LIMITS", "Job", "JobLimits", "Priority", "ScriptType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of a deployment. A job beyond them is refused when it is created.

    Attributes:
        max_script_bytes: Largest script, in bytes of UTF-8.
        max_timeout_s: Largest timeout, in seconds.
        default_timeout_s: Timeout of a job that does not set one, in seconds.
    """

    max_script_bytes: int = 1024 * 1024
    max_timeout_s: float = 86_400
    default_timeout_s: float = 300


DEFAULT_LIMITS = JobLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a submitter asks for. Immutable; two jobs with the same id and equal fields are one job.

    Attributes:
        id: Unique id, 1 to 200 printable ASCII characters; a UUID unless the submitter chose another.
        caller_id: The submitter, usually a public key.
        context_id: The context (circle) that it runs for, usually a public key.
        script: Source text.
        script_type: The kind of actor that runs it.
        timeout: Longest run time of the script, in seconds.
        retries: How often a failed run is repeated.
        concurrent: Carried for the Rust system; SAL runs everything concurrently anyway.
        log_path: File that also receives the printed lines.
        env_vars: Environment variables of the script.
        prerequisites: Ids of jobs that must finish first.
        dependents: Ids of jobs that wait for this one.
        group: Only actors of this group run it.
        instance: Only this instance of the group runs it.
        priority: Where in its queue it goes.
        not_before: Earliest start, ISO 8601; a datetime is accepted too.
        delay_s: Earliest start, in seconds after the submitter started it.
        expires_s: It ends as expired if it does not run within this many seconds after the submitter started it.
        unique_key: While a job with this key is open, no second one is created; its submitter gets the first one's id.
        unique_for_s: The key holds for this many seconds instead, no matter how the job ends.
        concurrency_key: At most `concurrency_max` jobs with this key run simultaneously; the others wait in line.
        concurrency_max: See `concurrency_key`.
        rate_key: At most `rate_max` jobs with this key start in `rate_window_s` seconds; the others start later.
        rate_max: See `rate_key`.
        rate_window_s: See `rate_key`.
        run_after_failure: Run it even if a prerequisite has failed.
        batch: The batch that it belongs to.
        signatures: Signatures of the job; see `signing.py`. The server verifies them when it creates the job.

    Raises:
        JobInvalid: A field is missing, empty, or of a wrong type.
    """

    id: str
    caller_id: str
    context_id: str
    script: str
    script_type: ScriptType
    timeout: float = DEFAULT_LIMITS.default_timeout_s
    retries: int = 0
    concurrent: bool = False
    log_path: str | None = None
    env_vars: Mapping[str, str] = field(default_factory=dict)
    prerequisites: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    group: str | None = None
    instance: str | None = None
    priority: Priority = Priority.NORMAL
    not_before: str | None = None
    delay_s: float = 0
    expires_s: float | None = None
    unique_key: str | None = None
    unique_for_s: float | None = None
    concurrency_key: str | None = None
    concurrency_max: int = 1
    rate_key: str | None = None
    rate_max: int = 1
    rate_window_s: float = 1
    run_after_failure: bool = False
    batch: str | None = None
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        check_text("caller_id", self.caller_id)
        check_text("context_id", self.context_id)
        check_text("script", self.script)
        if type(self.script_type) is not ScriptType:
            object.__setattr__(self, "script_type", ScriptType.parse(self.script_type))
        check_id("id", self.id)
        check_timeout(self.timeout, math.inf)
        if type(self.retries) is not int or not 0 <= self.retries <= 1000:
            raise JobInvalid("retries", f"must be a whole number from 0 to 1000, not {self.retries!r}")
        if type(self.concurrent) is not bool:
            raise JobInvalid("concurrent", f"must be true or false, not {self.concurrent!r}")
        if self.log_path is not None:
            check_text("log_path", self.log_path)
        if self.group is not None:
            check_route("group", self.group)
        if self.instance is not None:
            check_route("instance", self.instance)
            if self.group is None:
                raise JobInvalid("instance", "an instance is a member of a group: set the group too")
        if self.env_vars != {}:
            object.__setattr__(self, "env_vars", env_mapping(self.env_vars))
        if self.prerequisites or self.dependents:
            object.__setattr__(self, "prerequisites", id_tuple("prerequisites", self.prerequisites))
            object.__setattr__(self, "dependents", id_tuple("dependents", self.dependents))
            if self.id in self.prerequisites or self.id in self.dependents:
                raise JobInvalid("prerequisites", "a job cannot wait for itself")
        if self.priority is not Priority.NORMAL:
            if self.priority not in tuple(Priority):
                raise JobInvalid("priority", f"must be one of high, normal, low, not {self.priority!r:.80}")
            object.__setattr__(self, "priority", Priority(self.priority))
        self._check_times()
        self._check_keys()

    def _check_times(self) -> None:
        if self.not_before is not None:
            object.__setattr__(self, "not_before", time_text("not_before", self.not_before))
        if self.delay_s != 0:
            check_seconds("delay_s", self.delay_s)
        if self.expires_s is not None:
            check_seconds("expires_s", self.expires_s)

    def _check_keys(self) -> None:
        if self.unique_key is not None:
            check_key("unique_key", self.unique_key)
        if self.unique_for_s is not None:
            check_seconds("unique_for_s", self.unique_for_s)
            if self.unique_key is None:
                raise JobInvalid("unique_for_s", "has no meaning without unique_key: set that too, or leave this out")
        if self.concurrency_key is not None:
            check_key("concurrency_key", self.concurrency_key)
            check_count("concurrency_max", self.concurrency_max, most=100_000)
        if self.rate_key is not None:
            check_key("rate_key", self.rate_key)
            check_count("rate_max", self.rate_max, most=1_000_000)
            check_seconds("rate_window_s", self.rate_window_s)
        if type(self.run_after_failure) is not bool:
            raise JobInvalid("run_after_failure", f"must be true or false, not {self.run_after_failure!r}")
        if self.batch is not None:
            check_id("batch", self.batch)
        if self.signatures != ():
            object.__setattr__(self, "signatures", signature_tuple(self.signatures))

    def check_limits(self, limits: JobLimits) -> None:
        """Compare the job with the limits of a deployment.

        Raises:
            JobInvalid: The script is too large or the timeout too long.
        """
        # A UTF-8 character has at most four bytes, so most scripts need not be encoded to learn their size.
        if len(self.script) * 4 > limits.max_script_bytes:
            size = len(self.script.encode())
            if size > limits.max_script_bytes:
                raise JobInvalid("script", f"has {size} bytes; the limit is {limits.max_script_bytes}")
        check_timeout(self.timeout, limits.max_timeout_s)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], limits: JobLimits = DEFAULT_LIMITS) -> Self:
        """Build a job from untyped fields by name, as they come over the wire.

        Args:
            fields: Names in snake_case or camelCase; `script_type` in any case. An absent field, or None, means the
                default.
            limits: Limits of the deployment.

        Raises:
            JobInvalid: A field is missing, unknown, of a wrong type, or outside the limits.
        """
        given: dict[str, Any] = {}
        for name, value in fields.items():
            field_name = CAMEL_CASE.get(name, name)
            if field_name not in _FIELDS:
                raise JobInvalid(str(name), f"unknown field; known are {', '.join(sorted(_FIELDS))}")
            if field_name in given:
                raise JobInvalid(field_name, "given twice, in two spellings: leave one of them out")
            if value is not None:
                given[field_name] = value
        for name in ("caller_id", "context_id", "script", "script_type"):
            if name not in given:
                raise JobInvalid(name, "is missing")
        given.setdefault("id", str(uuid.uuid4()))
        given.setdefault("timeout", limits.default_timeout_s)
        job = cls(**given)
        job.check_limits(limits)
        return job


_FIELDS = frozenset(Job.__dataclass_fields__)
