"""The objects that describe a job as parameter and as result, derived from the rows of `Job`. Pure.

Methods return them and ``rpc.discover`` describes them. Invariant: they have every field of a job and its record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Required, TypeAlias, get_type_hints

from pydantic import Field, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.fields.job_field import SIGNATURES, FieldKind, JobField
from hero_job.model.job import JOB_FIELDS
from hero_job.model.views import JobRecord
from hero_supervisor.rpc.methods.view import view_of


class SignatureView(TypedDict):
    """A signature and the public key of secp256k1 that made it, both in hex."""

    public_key: str
    signature: str


class ProgressView(TypedDict):
    """The progress that a script has reported."""

    done: float
    total: float
    text: str


class _RecordView(TypedDict):
    status: str
    output: str | None
    output_json: str | None
    error: str | None
    error_kind: str | None
    error_line: int | None
    error_column: int | None
    created_at: str | None
    updated_at: str | None
    started_at: str | None
    finished_at: str | None
    attempt: int
    redeliveries: int
    rerun_reason: str | None
    failures: int
    owner: str | None
    progress: ProgressView | None


def _is_required(field: JobField) -> bool:
    return field.required and field.name != "id"  # the server makes an id


def _json_type(kind: FieldKind) -> Any:
    # As values: mypy knows them only as parts of annotations.
    annotated: Any = Annotated
    many: Any = list
    named: Any = dict
    text = annotated[str, Field(**kind.item_bounds)]
    texts = named[annotated[str, Field(**kind.name_bounds)], text]
    bounded = {list[str]: many[text], dict[str, str]: texts, list[dict[str, str]]: many[texts]}
    return bounded.get(kind.json_type, kind.json_type)


def _parameter_type(field: JobField) -> Any:
    # As values: mypy knows both only as parts of annotations.
    annotated: Any = Annotated
    required: Any = Required
    described = annotated[_json_type(field.kind), Field(description=field.doc, **field.kind.bounds)]
    return required[described] if _is_required(field) else described


def _result_type(field: JobField) -> Any:
    shown = list[SignatureView] if field.kind is SIGNATURES else field.kind.json_type
    return shown if field.required or field.default is not None else shown | None


if TYPE_CHECKING:
    JobFields: TypeAlias = dict[str, Any]
    JobView: TypeAlias = dict[str, Any]
else:
    _PARAMETERS = sorted(JOB_FIELDS, key=lambda field: not _is_required(field))
    JobFields = TypedDict("JobFields", {field.name: _parameter_type(field) for field in _PARAMETERS}, total=False)
    JobFields.__doc__ = (
        "The fields of a job that a client sends. camelCase names are accepted too; unknown fields are refused."
    )
    JobView = TypedDict(
        "JobView", {**{field.name: _result_type(field) for field in JOB_FIELDS}, **get_type_hints(_RecordView)}
    )
    JobView.__doc__ = "A job with its status and its result."

# hero_job checks the fields, because it knows the rules and its errors name the field; here a job is any object.
JobObject: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(TypeAdapter(JobFields).json_schema())]

_RECORD_FIELDS = tuple(name for name in get_type_hints(_RecordView) if name not in ("status", "progress"))


def job_view(record: JobRecord) -> JobView:
    """Build the view of a job."""
    return {
        **{field.name: field.kind.show(getattr(record.job, field.name)) for field in JOB_FIELDS},
        "status": record.status.value,
        **{name: getattr(record, name) for name in _RECORD_FIELDS},
        "progress": None if record.progress is None else view_of(ProgressView, record.progress),
    }
