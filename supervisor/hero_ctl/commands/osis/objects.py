"""The commands osis list and osis get: what objects there are, as the operator sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from hero_ctl.commands.osis.shared import (
    ContextId,
    ObjectSid,
    Schemas,
    TypeName,
    all_sids,
    operator,
    read_types,
    short_name,
)
from hero_ctl.connect.store import namespace_of, open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output.console import echo, fail
from hero_ctl.parameters import Argument, Option
from hero_job.model.objects.errors import ObjectNotFound
from hero_job.operations.objects.objects import Objects

if TYPE_CHECKING:
    from hero_client import Supervisor


def list_(
    *,
    type_name: Annotated[str | None, Argument(metavar="TYPE", help="Only this type, with its SIDs.")] = None,
    context: Annotated[str | None, Option("--context", metavar="ID", help="Only this context.")] = None,
    find: Annotated[
        str | None, Option("--find", metavar="QUERY", help="Only objects that this finds in indexed fields.")
    ] = None,
    schemas: Schemas = "",
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """Count the objects of each context and type; with a type, list the SIDs of its objects."""
    objects = Objects(namespace_of(store))
    with open_supervisor(store) as supervisor:
        if type_name is None:
            counts = list(_counts(supervisor, objects, context))
            if as_json:
                echo(json.dumps([dict(zip(("context_id", "type", "count"), one, strict=True)) for one in counts]))
            for context_id, name, count in () if as_json else counts:
                echo(f"{count:>10}  {name}  {context_id}")
            return
        if context is None:
            fail("name the context: --context ID; `heroctl osis list` shows all", CtlExitCode.USAGE)
        indexed = () if find is None else read_types(schemas).indexed(short_name(type_name))
        sids = list(all_sids(supervisor, objects, operator(context), type_name, find=find, indexed=indexed))
    echo(json.dumps(sids) if as_json else "\n".join(sids)) if sids or as_json else None


def get(
    *,
    type_name: TypeName,
    sid: ObjectSid,
    context: ContextId,
    history: Annotated[bool, Option("--history", help="Print the last ten versions, the newest first.")] = False,
    store: StoreOptions,
) -> None:
    """Print an object as JSON."""
    objects = Objects(namespace_of(store))
    access = operator(context)
    with open_supervisor(store) as supervisor:
        try:
            if history:
                versions = supervisor.store.drive(objects.history(access, type_name, sid))
            else:
                versions = [supervisor.store.drive(objects.get(access, type_name, sid))]
        except ObjectNotFound as e:
            fail(str(e), CtlExitCode.UNKNOWN_JOB)
    for one in versions:
        shown = {
            "sid": one.sid, "type": type_name, "version": one.version, "written_at": one.written_at,
            "written_by": one.caller_id, "job_id": one.job_id, "fields": one.fields,
        }  # fmt: skip
        echo(json.dumps(shown, ensure_ascii=False))


def _counts(supervisor: Supervisor, objects: Objects, context: str | None) -> Iterator[tuple[str, str, int]]:
    if context is not None:
        counts = supervisor.store.drive(objects.types(operator(context)))
        yield from ((context, name, count) for name, count in counts.items())
        return
    after = ""
    while True:
        pairs, after = supervisor.store.drive(objects.context_page(after))
        yield from supervisor.store.drive(objects.counts(pairs))
        if not after:
            return
