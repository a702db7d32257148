"""A job as its submitter gives it, and the builder for it.

Pure: no I/O, no Redis. What the runtime adds (status, output, times) is in `record.py`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from hero_job.model.errors import JobInvalid
from hero_job.model.fields import (
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
from hero_job.model.signatures import Signature, signature_tuple


class ScriptType(StrEnum):
    """Which kind of actor runs a script. Written as in the Rust system's enum; any case is read."""

    OSIS = "OSIS"
    SAL = "SAL"
    V = "V"
    PYTHON = "Python"

    @property
    def suffix(self) -> str:
        """The lower-case form that stands in queue names."""
        return self.value.lower()

    @classmethod
    def parse(cls, text: object) -> ScriptType:
        """Read a script type in any case.

        Args:
            text: "OSIS", "sal", a ScriptType ...

        Raises:
            JobInvalid: It names no script type.
        """
        found = _BY_NAME.get(text.lower()) if isinstance(text, str) else None
        if found is None:
            known = ", ".join(t.value for t in cls)
            raise JobInvalid("script_type", f"unknown script type {text!r}; one of {known}")
        return found


class Priority(StrEnum):
    """Where on its queue a job goes: to the front, to the end, or behind all that is not low itself."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_BY_NAME = {t.value.lower(): t for t in ScriptType}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What a deployment accepts. A job outside of it is refused at creation.

    Attributes:
        max_script_bytes: Largest script, in bytes of UTF-8.
        max_timeout_s: Largest timeout, in seconds.
        default_timeout_s: Timeout of a job that names none, in seconds.
    """

    max_script_bytes: int = 1024 * 1024
    max_timeout_s: float = 86_400
    default_timeout_s: float = 300


DEFAULT_LIMITS = JobLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a submitter asks for. Immutable; two jobs with one id and equal fields are one job.

    Attributes:
        id: Unique id, 1 to 200 printable ASCII characters; a UUID unless the submitter chose another.
        caller_id: Who asks, usually a public key.
        context_id: For which context (circle) it runs, usually a public key.
        script: Source text.
        script_type: Which actors run it.
        timeout: Longest run time of the script, in seconds.
        retries: How often a failed run is repeated.
        concurrent: Carried for the Rust system; SAL runs everything concurrently anyway.
        log_path: Where the script's printed lines should also go.
        env_vars: Handed to the script.
        prerequisites: Ids of jobs that must finish first.
        dependents: Ids of jobs that wait for this one.
        group: Route to a group of actors instead of to all of the type.
        instance: Route to one instance of the group.
        priority: Where on its queue it goes.
        not_before: Earliest start, ISO 8601; a datetime is taken too.
        delay_s: Earliest start, in seconds after it was started by its submitter.
        expires_s: It must have begun so many seconds after it was started, or it ends as expired.
        unique_key: While a job with this key is open no second one is created: its submitter gets the first one's id.
        unique_for_s: The key holds for so many seconds instead, whatever becomes of the job.
        concurrency_key: At most `concurrency_max` jobs with this key run at once; the others wait in line.
        concurrency_max: How many.
        rate_key: At most `rate_max` jobs with this key begin in `rate_window_s` seconds; the others come later.
        rate_max: How many.
        rate_window_s: In how many seconds.
        run_after_failure: Run it although a prerequisite has failed.
        batch: The batch that it belongs to.
        signatures: Who has signed it; see `signatures.py`. Whether they are right is looked at when it is created.

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
                raise JobInvalid("instance", "an instance is a member of a group: name the group too")
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
                raise JobInvalid("unique_for_s", "means nothing without unique_key")
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
        """Hold the job against a deployment's limits.

        Raises:
            JobInvalid: The script is too large or the timeout too long.
        """
        # A UTF-8 character has at most four bytes, so most scripts need not be encoded to be measured.
        if len(self.script) * 4 > limits.max_script_bytes:
            size = len(self.script.encode())
            if size > limits.max_script_bytes:
                raise JobInvalid("script", f"has {size} bytes; the limit is {limits.max_script_bytes}")
        check_timeout(self.timeout, limits.max_timeout_s)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], limits: JobLimits = DEFAULT_LIMITS) -> Self:
        """Build a job from untyped named fields, as they come over the wire.

        Args:
            fields: Names in snake_case or camelCase; `script_type` in any case; what is left out takes its default.
            limits: What the deployment accepts.

        Raises:
            JobInvalid: A field is missing, unknown, of a wrong type, or outside the limits.
        """
        given: dict[str, Any] = {}
        for name, value in fields.items():
            field_name = CAMEL_CASE.get(name, name)
            if field_name not in _FIELDS:
                raise JobInvalid(str(name), f"unknown field; known are {', '.join(sorted(_FIELDS))}")
            if field_name in given:
                raise JobInvalid(field_name, "given twice, in two spellings")
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

#: camelCase spellings, which documents and programs of the Rust family also use -> ours.
CAMEL_CASE: Mapping[str, str] = MappingProxyType(
    {
        "jobId": "id",
        "callerId": "caller_id",
        "contextId": "context_id",
        "scriptType": "script_type",
        "logPath": "log_path",
        "envVars": "env_vars",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
    }
)


class JobBuilder:
    """Builds a job step by step; every setter returns the builder.

    Args:
        limits: What the deployment accepts.

    Source: JobBuilder of the Rust system.
    """

    __slots__ = ("_fields", "_limits")

    def __init__(self, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self._fields: dict[str, Any] = {}
        self._limits = limits

    def _set(self, name: str, value: object) -> Self:
        self._fields[name] = value
        return self

    def id(self, value: str) -> Self:
        """Choose the id; otherwise `build` makes a UUID. Creating the same job twice is then harmless."""
        return self._set("id", value)

    def caller_id(self, value: str) -> Self:
        """Who asks, usually a public key."""
        return self._set("caller_id", value)

    def context_id(self, value: str) -> Self:
        """For which context it runs, usually a public key."""
        return self._set("context_id", value)

    def script(self, value: str) -> Self:
        """Set the source text."""
        return self._set("script", value)

    def script_type(self, value: ScriptType | str) -> Self:
        """Which actors run it."""
        return self._set("script_type", value)

    def timeout(self, seconds: float) -> Self:
        """Longest run time, in seconds."""
        return self._set("timeout", seconds)

    def retries(self, count: int) -> Self:
        """How often a failed run is repeated."""
        return self._set("retries", count)

    def concurrent(self, value: bool) -> Self:
        """Carried for the Rust system."""
        return self._set("concurrent", value)

    def log_path(self, value: str) -> Self:
        """Where printed lines should also go."""
        return self._set("log_path", value)

    def env_vars(self, values: Mapping[str, str]) -> Self:
        """Replace all environment variables of the script."""
        return self._set("env_vars", dict(values))

    def env_var(self, name: str, value: str) -> Self:
        """Add one environment variable of the script."""
        self._fields.setdefault("env_vars", {})[name] = value
        return self

    def prerequisites(self, job_ids: Iterable[str]) -> Self:
        """Ids of jobs that must finish first."""
        return self._set("prerequisites", tuple(job_ids))

    def group(self, value: str) -> Self:
        """Route to a group of actors."""
        return self._set("group", value)

    def instance(self, value: str) -> Self:
        """Route to one instance of the group."""
        return self._set("instance", value)

    def priority(self, value: Priority | str) -> Self:
        """Where on its queue it goes."""
        return self._set("priority", value)

    def not_before(self, value: datetime | str) -> Self:
        """Earliest start, with its zone."""
        return self._set("not_before", value)

    def delay(self, seconds: float) -> Self:
        """Earliest start, counted from its start by the submitter."""
        return self._set("delay_s", seconds)

    def expires(self, seconds: float) -> Self:
        """End it as expired when it has not begun so long after its start by the submitter."""
        return self._set("expires_s", seconds)

    def unique(self, key: str, for_s: float | None = None) -> Self:
        """One open job with this key; with `for_s` one job in so many seconds."""
        return self._set("unique_key", key)._set("unique_for_s", for_s)

    def concurrency(self, key: str, most: int = 1) -> Self:
        """At most so many jobs with this key at once."""
        return self._set("concurrency_key", key)._set("concurrency_max", most)

    def rate(self, key: str, most: int, window_s: float) -> Self:
        """At most so many starts of jobs with this key in so many seconds."""
        return self._set("rate_key", key)._set("rate_max", most)._set("rate_window_s", window_s)

    def run_after_failure(self, value: bool = True) -> Self:
        """Run it although a prerequisite has failed."""
        return self._set("run_after_failure", value)

    def signatures(self, values: Iterable[Signature | Mapping[str, str]]) -> Self:
        """Set who has signed it; `sign_job` signs a job that is complete."""
        return self._set("signatures", tuple(values))

    def build(self) -> Job:
        """Make the job.

        Raises:
            JobInvalid: A field is missing or wrong; names it.
        """
        return Job.from_fields(self._fields, self._limits)
