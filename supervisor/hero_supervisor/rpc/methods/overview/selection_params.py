"""The parameters that select jobs, shared by the lists, the search and the acts on many jobs. Pure."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.fields.checks import check_route, time_text
from hero_job.model.fields.limits import MAX_ID, MAX_NAME, MAX_ROUTE, MAX_WORD
from hero_job.model.fields.spellings import parse_status
from hero_job.model.job import ScriptType
from hero_job.model.overview.selection import JobSelection
from hero_job.operations.overview.lists import MAX_CURSOR, MAX_PAGE
from hero_supervisor.rpc.methods.shapes import Owner, Word

#: Longest text to look for in scripts and errors.
MAX_TEXT: Final = 200

Time: TypeAlias = Annotated[Word | None, Field(description="ISO 8601, with a time zone.")]
BatchName: TypeAlias = Annotated[str, Field(max_length=MAX_ID)]
GroupName: TypeAlias = Annotated[str, Field(max_length=MAX_ROUTE)]
KindName: TypeAlias = Annotated[str, Field(max_length=MAX_NAME)]
IdPrefix: TypeAlias = Annotated[str, Field(max_length=MAX_ID, description="What the id begins with.")]
SearchText: TypeAlias = Annotated[
    str, Field(max_length=MAX_TEXT, description="What script or error contain; ASCII letters match in either case.")
]
ListCursor: TypeAlias = Annotated[
    str, Field(max_length=MAX_CURSOR, description='Cursor of the last page; "" for the first.')
]
PageCount: TypeAlias = Annotated[int, Field(ge=1, le=MAX_PAGE)]


class JobFilterParams(TypedDict, total=False):
    """Which jobs; fields that are left out match all jobs, and all fields that are given must match."""

    # A misspelt field would select all jobs.
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    status: Word
    script_type: Word
    caller_id: Owner
    context_id: Owner
    batch: BatchName
    group: GroupName
    error_kind: KindName
    created_after: Annotated[str, Field(max_length=MAX_WORD)]
    created_before: Annotated[str, Field(max_length=MAX_WORD)]
    id_prefix: IdPrefix
    text: SearchText


def selection_of(**given: str | None) -> JobSelection:
    """Make a selection of parameters.

    Args:
        given: Fields of `JobFilterParams`; None and "" stand for a field that is left out.

    Raises:
        JobInvalid: A status, script type, group or time cannot be read.
    """
    given = {name: value for name, value in given.items() if value}
    if (group := given.get("group")) is not None:
        check_route("group", group)
    status, script_type = given.pop("status", None), given.pop("script_type", None)
    for name in ("created_after", "created_before"):
        if name in given:
            given[name] = time_text(name, given[name])
    return JobSelection(
        status=None if status is None else parse_status(status),
        script_type=None if script_type is None else ScriptType.parse(script_type),
        **given,
    )
