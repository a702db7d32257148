"""The objects of OSIS as they travel as parameters and results, as types. Pure."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.objects.stored_object import StoredObject
from hero_job.operations.objects.find import MAX_PAGE, ObjectPage

ObjectType: TypeAlias = Annotated[str, Field(max_length=130, description="namespace.type, such as hero.note.")]
Sid: TypeAlias = Annotated[str, Field(max_length=32, description="SID of an object.")]
ContextId: TypeAlias = Annotated[
    str | None, Field(max_length=500, description="The context; by default that of the connection, or of its caller.")
]
ObjectCursor: TypeAlias = Annotated[str, Field(max_length=2000, description="Cursor of the last page.")]
ObjectLimit: TypeAlias = Annotated[int, Field(ge=1, le=MAX_PAGE, description="Most objects on the page.")]


class ObjectView(TypedDict):
    """One version of an object; ``written_by`` is null for the operator, ``job_id`` is empty if no job wrote it."""

    sid: str
    type: str
    version: int
    written_at: str | None
    written_by: str | None
    job_id: str
    fields: dict[str, Any]


class ObjectWritten(TypedDict):
    """The SID and the new version of an object."""

    sid: str
    version: int


class SidPage(TypedDict):
    """One page of SIDs; an empty cursor means that it is the last page. A page may be short without being the last."""

    sids: list[str]
    cursor: str


class ObjectRightsView(TypedDict):
    """Who may do what with the objects of a context, besides its owner. A member ``group:NAME`` is a group."""

    admin: list[str]
    write: list[str]
    read: list[str]
    groups: dict[str, list[str]]


class ObjectCount(TypedDict):
    """How many objects of a type a context has."""

    context_id: str
    type: str
    count: int


def object_view(type_name: str, stored: StoredObject) -> ObjectView:
    """Build the view of a version."""
    return {
        "sid": stored.sid,
        "type": type_name,
        "version": stored.version,
        "written_at": stored.written_at,
        "written_by": stored.caller_id,
        "job_id": stored.job_id,
        "fields": dict(stored.fields),
    }


def page_view(page: ObjectPage) -> SidPage:
    """Build the view of a page."""
    return {"sids": page.sids, "cursor": page.cursor}
