"""What the commands on objects share: their options, who asks, and how SIDs and types are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import fail
from hero_ctl.parameters import Argument, Option
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects

if TYPE_CHECKING:
    from hero_client import Supervisor
    from hero_engine.languages.oschema.models import ObjectTypes

ContextId = Annotated[str, Option("--context", metavar="ID", help="The context that has the objects.")]
TypeName = Annotated[str, Argument(metavar="TYPE", help="namespace.type, such as hero.note.")]
ObjectSid = Annotated[str, Argument(metavar="SID", help="SID of the object.")]
Schemas = Annotated[
    str,
    Option(
        "--schemas",
        envvar="HERO_OSIS_SCHEMAS",
        metavar="FOLDER",
        show_default="the built-in types",
        help="The osis_schemas of the actor that has the types.",
    ),
]


def operator(context_id: str) -> ObjectAccess:
    """Who the commands are: the operator, whom no list of rights concerns."""
    return ObjectAccess(context_id=context_id, caller_id=None)


def short_name(type_name: str) -> str:
    """The name of a type without its namespace."""
    return type_name.rpartition(".")[2]


def read_types(folder: str) -> ObjectTypes:
    """Read the schemas of a folder, or end the command."""
    from hero_engine.languages.oschema.errors import SchemaError
    from hero_engine.languages.oschema.files import read_schema_folder
    from hero_engine.languages.oschema.models import ObjectTypes

    try:
        return ObjectTypes(read_schema_folder(folder))
    except SchemaError as e:
        fail(str(e), CtlExitCode.USAGE)


def all_sids(
    supervisor: Supervisor,
    objects: Objects,
    access: ObjectAccess,
    type_name: str,
    *,
    find: str | None = None,
    indexed: tuple[str, ...] = (),
) -> Iterator[str]:
    """List the SIDs of a type, or of what a query finds."""
    cursor = ""
    while True:
        if find is None:
            flow = list_objects(objects, access, type_name, cursor=cursor)
        else:
            flow = find_objects(objects, access, type_name, find, indexed=indexed, cursor=cursor)
        page = supervisor.store.drive(flow)
        yield from page.sids
        cursor = page.cursor
        if not cursor:
            return
