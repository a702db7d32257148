"""What the runtime must know of a field of a job, and the kinds of values that fields have. Pure.

`Job` describes each of its fields by one `JobField`. The codec, the RPC descriptions, the options of `heroctl`, the
access of scripts, the list that `create.lua` compares and docs/redis.md are derived from these rows.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hero_job.model.errors import JobInvalid
from hero_job.model.fields import checks, limits, wire_values
from hero_job.model.fields.names import shown_name
from hero_job.model.fields.routing import Priority, ScriptType
from hero_job.model.fields.shown_values import shown
from hero_job.model.fields.trace_context import LENGTH as TRACEPARENT_LENGTH
from hero_job.model.fields.trace_context import check_traceparent
from hero_job.model.signatures import MAX_SIGNATURE_DIGITS, MAX_SIGNATURES, signature_tuple

_METADATA: Final = "job_field"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """How the values of a kind are checked, stored and described.

    Attributes:
        check: Field name, value -> the value as a job holds it. Raises `JobInvalid`.
        encode: Value -> text in the hash.
        decode: Field name, text in the hash -> value. Raises `JobInvalid`.
        json_type: Type of the value in JSON and in scripts.
        show: Value -> JSON value of an answer.
        bounds: Limits of the value for its JSON schema, as pydantic names them: `{"gt": 0}`.
        item_bounds: The same for each item of a list, or for each value of an object.
        name_bounds: The same for each name of an object.
        choices: The only values that are accepted, if they are few.
    """

    check: Callable[[str, Any], Any]
    encode: Callable[[Any], str]
    decode: Callable[[str, str], Any]
    json_type: Any = str
    show: Callable[[Any], Any] = lambda value: value
    bounds: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    item_bounds: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    name_bounds: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLineOption:
    """An option of `heroctl run`, `submit` and `schedule add`.

    Attributes:
        flag: With its dashes.
        metavar: What stands for the value in the help.
        help: One sentence.
        panel: The group of options that it is listed in.
        default_text: The default as the help shows it.
        once: Only for jobs that run once: a schedule does not have it.
    """

    flag: str
    metavar: str | None = None
    help: str
    panel: str = "When and how often"
    default_text: str | None = None
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobField:
    """One field of a job.

    Attributes:
        name: Name in Python, in the hash, in JSON and in scripts.
        default: Value of a job that does not set it; None if it is required.
        required: Every job must set it.
        kind: What its values are.
        doc: One sentence for users.
        always_stored: The hash has it even at its default; otherwise only if it is set.
        is_option: If it is set, the Lua scripts read more of the job than script and queue; see `create.lua`.
        with_field: It counts, and is stored, only together with this other field.
        stored_for_lua: A second hash field, and how it is computed from the value.
        for_scripts: A script may set it for a job that it creates.
        identifies: Two jobs with one id are the same job only if they agree in it.
        command_line: Its option in `heroctl`, if it has one.
    """

    name: str = ""
    default: Any = None
    required: bool = False
    kind: FieldKind
    doc: str
    always_stored: bool = False
    is_option: bool = False
    with_field: str | None = None
    stored_for_lua: tuple[str, Callable[[Any], str]] | None = None
    for_scripts: bool = True
    identifies: bool = True
    command_line: CommandLineOption | None = None


def row(kind: FieldKind, doc: str, **properties: Any) -> Mapping[str, JobField]:
    """Describe a field of `Job`, as the metadata of its dataclass field.

    Args:
        kind: What its values are.
        doc: One sentence for users.
        properties: Further attributes of `JobField`.
    """
    return {_METADATA: JobField(kind=kind, doc=doc, **properties)}


def rows_of(job_class: Any) -> tuple[JobField, ...]:
    """Return the rows of a class in the order of its fields."""
    rows = []
    for field in dataclasses.fields(job_class):
        default = None if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        rows.append(dataclasses.replace(field.metadata[_METADATA], name=field.name, default=default, required=required))
    return tuple(rows)


def _unchanged(check: Callable[..., None], **bounds: float) -> Callable[[str, Any], Any]:
    bounded_check = functools.partial(check, **bounds) if bounds else check

    def run(name: str, value: Any) -> Any:
        bounded_check(name, value)
        return value

    return run


def _check_flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise JobInvalid(name, f"must be true or false, not {shown(value)}")
    return value


def _check_timeout(_name: str, value: Any) -> Any:
    checks.check_timeout(value, math.inf)
    return value


def _check_delay(name: str, value: Any) -> Any:
    if value != 0:
        checks.check_seconds(name, value)
    return value


def _check_priority(name: str, value: Any) -> Priority:
    if value not in tuple(Priority):
        raise JobInvalid(name, f"must be one of high, normal, low, not {shown(value)}")
    return Priority(value)


def _dump(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _as_text(_name: str, text: str) -> str:
    return text


def _text_or_none(_name: str, text: str) -> str | None:
    return text or None


#: A script; the deployment limits its size.
SCRIPT: Final = FieldKind(check=_unchanged(checks.check_text), encode=str, decode=_as_text)
#: Who or where: a caller or a context.
NAME: Final = dataclasses.replace(
    SCRIPT, check=_unchanged(checks.check_text, most=limits.MAX_NAME), bounds={"max_length": limits.MAX_NAME}
)
#: Path of a file; an empty one in the hash means none.
PATH: Final = dataclasses.replace(
    SCRIPT,
    check=_unchanged(checks.check_text, most=limits.MAX_PATH),
    decode=_text_or_none,
    bounds={"max_length": limits.MAX_PATH},
)
#: Name of a group or an instance; an empty one in the hash means none.
ROUTE: Final = FieldKind(
    check=_unchanged(checks.check_route), encode=str, decode=_text_or_none, bounds={"max_length": limits.MAX_ROUTE}
)
#: Id of a job or a batch.
ID: Final = FieldKind(
    check=_unchanged(checks.check_id), encode=str, decode=_as_text, bounds={"max_length": limits.MAX_ID}
)
#: Key of uniqueness or of a limit. It is stored in the space of its owner, and shown as the owner chose it.
KEY: Final = FieldKind(
    check=_unchanged(checks.check_key),
    encode=str,
    decode=_as_text,
    show=lambda value: None if value is None else shown_name(value),
    bounds={"max_length": limits.MAX_NAME},
)
#: Point in time, as ISO 8601.
TIME: Final = FieldKind(check=checks.time_text, encode=str, decode=_as_text, bounds={"max_length": limits.MAX_WORD})
#: Duration in seconds.
SECONDS: Final = FieldKind(
    check=_unchanged(checks.check_seconds),
    encode=wire_values.format_seconds,
    decode=wire_values.parse_seconds,
    json_type=float,
    bounds={"gt": 0},
)
#: The same, at least 0.
DELAY: Final = dataclasses.replace(SECONDS, check=_check_delay, bounds={"ge": 0})
#: The same; 0 in the hash means one second.
WINDOW: Final = dataclasses.replace(SECONDS, decode=lambda name, text: wire_values.parse_seconds(name, text) or 1)
#: Longest run time in seconds.
TIMEOUT: Final = dataclasses.replace(
    SECONDS, check=_check_timeout, decode=lambda _name, text: wire_values.parse_timeout(text)
)
#: True or false.
FLAG: Final = FieldKind(
    check=_check_flag,
    encode=lambda value: "true" if value else "false",
    decode=lambda _name, text: text.lower() in ("true", "1"),
    json_type=bool,
)
#: The same for fields that only we write: the Lua scripts know no other word for true.
OWN_FLAG: Final = dataclasses.replace(FLAG, decode=lambda _name, text: text == "true")
#: Place in a distributed trace; an empty one in the hash means none.
TRACEPARENT: Final = FieldKind(
    check=_unchanged(check_traceparent),
    encode=str,
    decode=_text_or_none,
    bounds={"max_length": TRACEPARENT_LENGTH},
)
PRIORITY: Final = FieldKind(
    check=_check_priority,
    encode=lambda value: value.value,
    decode=lambda _name, text: Priority(text) if text in tuple(Priority) else Priority.NORMAL,
    show=lambda value: value.value,
    choices=tuple(Priority),
    bounds={"max_length": limits.MAX_WORD},
)
SCRIPT_TYPE: Final = FieldKind(
    check=lambda _name, value: value if type(value) is ScriptType else ScriptType.parse(value),
    encode=str,
    decode=lambda _name, text: ScriptType.parse(text),
    show=lambda value: value.value,
    bounds={"max_length": limits.MAX_WORD},
)
#: Environment variables.
VARIABLES: Final = FieldKind(
    check=lambda _name, value: value if value == {} else checks.env_mapping(value),
    encode=lambda value: _dump(value) if value else "{}",
    decode=lambda _name, text: wire_values.parse_env_vars(text),
    json_type=dict[str, str],
    show=dict,
    bounds={"max_length": limits.MAX_VARIABLES},
    item_bounds={"max_length": limits.MAX_VARIABLE_VALUE},
    name_bounds={"max_length": limits.MAX_VARIABLE_NAME},
)
#: Ids of jobs.
IDS: Final = FieldKind(
    check=checks.id_tuple,
    encode=lambda value: _dump(value) if value else "[]",
    decode=wire_values.parse_ids,
    json_type=list[str],
    show=list,
    bounds={"max_length": limits.MAX_IDS},
    item_bounds={"max_length": limits.MAX_ID},
)
TEXTS: Final = FieldKind(
    check=checks.text_tuple,
    encode=lambda value: _dump(value) if value else "[]",
    decode=wire_values.parse_texts,
    json_type=list[str],
    show=list,
    bounds={"max_length": limits.MAX_TEXTS},
    item_bounds={"max_length": limits.MAX_TEXT_CHARS},
)
SIGNATURES: Final = FieldKind(
    check=lambda _name, value: signature_tuple(value),
    encode=lambda value: orjson.dumps(value).decode(),
    decode=lambda _name, text: wire_values.parse_signatures(text),
    json_type=list[dict[str, str]],
    bounds={"max_length": MAX_SIGNATURES},
    item_bounds={"max_length": MAX_SIGNATURE_DIGITS},
    name_bounds={"max_length": limits.MAX_WORD},
    show=lambda value: [{"public_key": one.public_key, "signature": one.signature} for one in value],
)


def count(*, most: int, least: int = 1) -> FieldKind:
    """Whole numbers from `least` to `most`. A missing count, or 0 in the hash, means `least`."""
    return FieldKind(
        check=_unchanged(checks.check_count, least=least, most=most),
        encode=str,
        decode=lambda name, text: wire_values.parse_whole(name, text) or least,
        json_type=int,
        bounds={"ge": least},
    )
