"""A job as its submitter gives it, and the builder for it.

Pure: no I/O, no Redis. What the runtime adds (status, output, times) is in `record.py`.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from hero_job.errors import JobInvalid

_ID = re.compile(r"[!-~]{1,200}")
# No colon: a group named "a:inst:b" would spell the queue of instance b of group a.
_ROUTE = re.compile(r"[A-Za-z0-9_.-]{1,100}")


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

    def __post_init__(self) -> None:
        _check_text("caller_id", self.caller_id)
        _check_text("context_id", self.context_id)
        _check_text("script", self.script)
        if type(self.script_type) is not ScriptType:
            object.__setattr__(self, "script_type", ScriptType.parse(self.script_type))
        check_id("id", self.id)
        check_timeout(self.timeout, math.inf)
        if type(self.retries) is not int or not 0 <= self.retries <= 1000:
            raise JobInvalid("retries", f"must be a whole number from 0 to 1000, not {self.retries!r}")
        if type(self.concurrent) is not bool:
            raise JobInvalid("concurrent", f"must be true or false, not {self.concurrent!r}")
        if self.log_path is not None:
            _check_text("log_path", self.log_path)
        for name, value in (("group", self.group), ("instance", self.instance)):
            if value is not None and (not isinstance(value, str) or not _ROUTE.fullmatch(value)):
                raise JobInvalid(name, f"must be 1 to 100 letters, digits, '_', '.', '-', not {value!r:.80}")
        if self.instance is not None and self.group is None:
            raise JobInvalid("instance", "an instance is a member of a group: name the group too")
        if self.env_vars != {}:
            object.__setattr__(self, "env_vars", _frozen_env(self.env_vars))
        if self.prerequisites or self.dependents:
            object.__setattr__(self, "prerequisites", _id_tuple("prerequisites", self.prerequisites))
            object.__setattr__(self, "dependents", _id_tuple("dependents", self.dependents))

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

    def build(self) -> Job:
        """Make the job.

        Raises:
            JobInvalid: A field is missing or wrong; names it.
        """
        return Job.from_fields(self._fields, self._limits)


def check_id(name: str, value: object) -> None:
    """Refuse what cannot be a job id.

    Raises:
        JobInvalid: Not 1 to 200 printable ASCII characters without spaces.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise JobInvalid(name, f"must be 1 to 200 printable ASCII characters without spaces, not {value!r:.80}")


def check_timeout(value: object, max_timeout_s: float) -> None:
    """Refuse what cannot be a timeout.

    Raises:
        JobInvalid: Not a number of seconds above zero and up to the maximum.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= max_timeout_s
        or value == math.inf
    ):
        most = "" if max_timeout_s == math.inf else f", {max_timeout_s:g} at most"
        raise JobInvalid("timeout", f"must be a number of seconds above zero{most}, not {value!r:.80}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise JobInvalid(name, f"must be a string, not {type(value).__name__}")
    if not value or value.isspace():
        raise JobInvalid(name, "must not be empty")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as e:
            raise JobInvalid(name, f"is not valid Unicode: {e.reason}") from e


def _frozen_env(values: object) -> Mapping[str, str]:
    if not isinstance(values, Mapping):
        raise JobInvalid("env_vars", f"must be an object of strings, not {type(values).__name__}")
    for key, value in values.items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise JobInvalid("env_vars", f"{key!r:.80} cannot be the name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise JobInvalid("env_vars", f"the value of {key!r:.80} must be a string without NUL, not {value!r:.80}")
    return dict(values)


def _id_tuple(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise JobInvalid(name, f"must be a list of job ids, not {values!r:.80}")
    ids = tuple(values)
    for value in ids:
        check_id(name, value)
    if len(set(ids)) != len(ids):
        raise JobInvalid(name, "names a job twice")
    return ids
