"""A job as its submitter describes it: each field of it, in one row. Pure.

Everything that depends on the fields of a job is derived from `JOB_FIELDS`: codec, RPC, `heroctl`, access of scripts,
documentation. What the runtime adds to a job (status, output, times) is in `views.py`. Invariant: every `Job` is valid.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, Self

from hero_job.model.errors import JobInvalid
from hero_job.model.fields import command_line as options
from hero_job.model.fields.checks import check_timeout, milliseconds
from hero_job.model.fields.job_field import (
    DELAY,
    FLAG,
    ID,
    IDS,
    KEY,
    NAME,
    OWN_FLAG,
    PATH,
    PRIORITY,
    ROUTE,
    SCRIPT,
    SCRIPT_TYPE,
    SECONDS,
    SIGNATURES,
    TEXTS,
    TIME,
    TIMEOUT,
    TRACEPARENT,
    VARIABLES,
    WINDOW,
    CommandLineOption,
    count,
    row,
    rows_of,
)
from hero_job.model.fields.limits import DEFAULT_LIMITS, JobLimits
from hero_job.model.fields.names import check_new_id
from hero_job.model.fields.routing import Priority, ScriptType
from hero_job.model.fields.spellings import CAMEL_CASE
from hero_job.model.signatures import Signature

__all__ = ["DEFAULT_LIMITS", "JOB_FIELDS", "CommandLineOption", "Job", "JobLimits", "Priority", "ScriptType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a submitter asks for. Immutable; two jobs with the same id and equal fields are one job.

    The row of each field describes it; see `JobField`. A new field is a new row, and the code that acts on it.

    Raises:
        JobInvalid: A field is missing, empty, or of a wrong type.
    """

    id: str = field(
        metadata=row(
            ID,
            "An id that you choose; the same job sent twice is then one job. Default: a new UUID.",
            always_stored=True,
            command_line=options.ID,
        )
    )
    caller_id: str = field(
        metadata=row(NAME, "The submitter, usually a public key.", always_stored=True, for_scripts=False)
    )
    context_id: str = field(
        metadata=row(NAME, "The context that it runs for, usually a public key.", always_stored=True, for_scripts=False)
    )
    script: str = field(metadata=row(SCRIPT, "Source text.", always_stored=True))
    script_type: ScriptType = field(
        metadata=row(SCRIPT_TYPE, "OSIS, SAL, V or Python, in any case.", always_stored=True)
    )
    timeout: float = field(
        default=DEFAULT_LIMITS.default_timeout_s,
        metadata=row(TIMEOUT, "Longest run time in seconds.", always_stored=True),
    )
    memory_bytes: int | None = field(
        default=None,
        metadata=row(
            count(most=1 << 50),
            "Most memory that it may hold, in bytes. The limit of the actor stands if it is lower.",
            is_option=True,
            command_line=options.MEMORY_BYTES,
        ),
    )
    retries: int = field(
        default=0,
        metadata=row(
            count(least=0, most=1000),
            "How often a failed run is repeated.",
            always_stored=True,
            is_option=True,
            command_line=options.RETRIES,
        ),
    )
    concurrent: bool = field(
        default=False, metadata=row(FLAG, "Kept for the Rust system.", always_stored=True, for_scripts=False)
    )
    log_path: str | None = field(
        default=None,
        metadata=row(
            PATH,
            "File that printed lines are also written to.",
            is_option=True,
            for_scripts=False,
            command_line=options.LOG_PATH,
        ),
    )
    env_vars: Mapping[str, str] = field(
        default_factory=dict, metadata=row(VARIABLES, "Variables that the script can read.", always_stored=True)
    )
    script_args: tuple[str, ...] = field(
        default=(), metadata=row(TEXTS, "Arguments, which the script reads as `ARGS`.", is_option=True)
    )
    prerequisites: tuple[str, ...] = field(
        default=(),
        metadata=row(
            IDS,
            "Ids of jobs that must finish first.",
            always_stored=True,
            is_option=True,
            command_line=options.AFTER,
        ),
    )
    dependents: tuple[str, ...] = field(
        default=(),
        metadata=row(
            IDS,
            "Ids of jobs that wait for this one.",
            always_stored=True,
            is_option=True,
            for_scripts=False,
            command_line=options.BEFORE,
        ),
    )
    group: str | None = field(
        default=None,
        metadata=row(
            ROUTE,
            "Group of actors that runs it.",
            command_line=options.GROUP,
        ),
    )
    instance: str | None = field(
        default=None,
        metadata=row(
            ROUTE,
            "Actor of the group that runs it.",
            command_line=options.INSTANCE,
        ),
    )
    priority: Priority = field(
        default=Priority.NORMAL,
        metadata=row(
            PRIORITY,
            "high, normal or low: to the front of the queue, to its end, or after everything else.",
            is_option=True,
            command_line=options.PRIORITY,
        ),
    )
    run_after_failure: bool = field(
        default=False,
        metadata=row(
            OWN_FLAG,
            "Run it even if a prerequisite has failed.",
            command_line=options.RUN_AFTER_FAILURE,
        ),
    )
    not_before: str | None = field(
        default=None,
        metadata=row(
            TIME,
            "Earliest start, as ISO 8601 with a time zone.",
            is_option=True,
            stored_for_lua=("due_ms", lambda text: str(milliseconds(text))),
            command_line=options.NOT_BEFORE,
        ),
    )
    delay_s: float = field(
        default=0,
        metadata=row(
            DELAY,
            "Earliest start, in seconds after start_job.",
            is_option=True,
            command_line=options.DELAY,
        ),
    )
    expires_s: float | None = field(
        default=None,
        metadata=row(
            SECONDS,
            "It ends as expired if it has not started so many seconds after start_job.",
            is_option=True,
            command_line=options.EXPIRES,
        ),
    )
    unique_key: str | None = field(
        default=None,
        metadata=row(
            KEY,
            "While a job with this key has not ended, its id is returned instead of a new job.",
            is_option=True,
            command_line=options.UNIQUE,
        ),
    )
    unique_for_s: float | None = field(
        default=None,
        metadata=row(
            SECONDS,
            "The key holds for so many seconds instead.",
            with_field="unique_key",
            command_line=options.UNIQUE_FOR,
        ),
    )
    concurrency_key: str | None = field(
        default=None,
        metadata=row(
            KEY,
            "At most concurrency_max jobs with this key run simultaneously; the others wait.",
            is_option=True,
            command_line=options.CONCURRENCY,
        ),
    )
    concurrency_max: int = field(
        default=1,
        metadata=row(
            count(most=100_000),
            "See concurrency_key.",
            with_field="concurrency_key",
            command_line=options.CONCURRENCY_MAX,
        ),
    )
    rate_key: str | None = field(
        default=None,
        metadata=row(
            KEY,
            "At most rate_max jobs with this key start in rate_window_s seconds; the others start later.",
            is_option=True,
            command_line=options.RATE,
        ),
    )
    rate_max: int = field(
        default=1,
        metadata=row(
            count(most=1_000_000),
            "See rate_key.",
            with_field="rate_key",
            command_line=options.RATE_MAX,
        ),
    )
    rate_window_s: float = field(
        default=1,
        metadata=row(
            WINDOW,
            "See rate_key.",
            with_field="rate_key",
            command_line=options.RATE_WINDOW,
        ),
    )
    batch: str | None = field(
        default=None, metadata=row(ID, "The batch that it belongs to.", is_option=True, for_scripts=False)
    )
    traceparent: str | None = field(
        default=None,
        metadata=row(
            TRACEPARENT,
            "The span of its submitter in a distributed trace, as W3C writes it.",
            is_option=True,
            for_scripts=False,
            identifies=False,
            command_line=options.TRACEPARENT,
        ),
    )
    signatures: tuple[Signature, ...] = field(
        default=(),
        metadata=row(
            SIGNATURES, "Its signatures: {public_key, signature} in hex, each.", is_option=True, for_scripts=False
        ),
    )

    def __post_init__(self) -> None:
        values = _values_of(self)
        # Identity, so that the checks see a True that equals a default of 1.
        for place, name, check, with_field in compress(_CHECKS, map(is_not, values, _DEFAULTS)):
            if with_field is None or getattr(self, with_field) is not None:
                value = values[place]
                checked = check(name, value)
                if checked is not value:
                    object.__setattr__(self, name, checked)
        if self.instance is not None and self.group is None:
            raise JobInvalid("instance", "an instance is a member of a group: set the group too")
        if self.unique_for_s is not None and self.unique_key is None:
            raise JobInvalid("unique_for_s", "has no meaning without unique_key: set that too, or leave this out")
        if self.id in self.prerequisites or self.id in self.dependents:
            raise JobInvalid("prerequisites", "a job cannot wait for itself")

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
        if self.timeout > limits.max_timeout_s:
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
        given = {name: value for name, value in fields.items() if value is not None}
        if not fields.keys() <= _NAMES:
            given = _in_our_spelling(fields)
        if "id" in given:
            check_new_id(given["id"])
        else:
            given["id"] = _new_id()
        if not given.keys() >= _REQUIRED:
            missing = next(field.name for field in JOB_FIELDS if field.required and field.name not in given)
            raise JobInvalid(missing, "is missing")
        given.setdefault("timeout", limits.default_timeout_s)
        job = cls(**given)
        job.check_limits(limits)
        return job


def _in_our_spelling(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take out the fields that are set, by their names in snake_case.

    Raises:
        JobInvalid: A field is unknown, or given in two spellings.
    """
    given: dict[str, Any] = {}
    for name, value in fields.items():
        field_name = CAMEL_CASE.get(name, name)
        if field_name not in _NAMES:
            raise JobInvalid(f"{name!s:.80}", f"unknown field; known are {', '.join(sorted(_NAMES))}")
        if field_name in given:
            raise JobInvalid(field_name, "given twice, in two spellings: leave one of them out")
        if value is not None:
            given[field_name] = value
    return given


def _new_id() -> str:
    """Make a random UUID, of version 4, in a third of the time that the class takes."""
    digits = os.urandom(16).hex()
    variant = _VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


#: Hexadecimal digit -> the digit with its two lower bits that marks the variant. Source: RFC 9562, section 4.1
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}

#: The rows of all fields, in their order.
JOB_FIELDS = rows_of(Job)

_CHECKS = tuple((place, field.name, field.kind.check, field.with_field) for place, field in enumerate(JOB_FIELDS))
# A required field has no default: nothing is identical to a new object.
_DEFAULTS = tuple(object() if field.required else field.default for field in JOB_FIELDS)
_values_of = attrgetter(*(field.name for field in JOB_FIELDS))
_NAMES = frozenset(field.name for field in JOB_FIELDS)
_REQUIRED = frozenset(field.name for field in JOB_FIELDS if field.required) - {"id"}
