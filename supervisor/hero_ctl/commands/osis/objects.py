"""The commands osis list and osis get: what objects there are, as the operator sees them."""

from __future__ import annotations

import json
from typing import Annotated

from hero_ctl.commands.osis.shared import ContextId, ObjectSid, Schemas, TypeName
from hero_ctl.commands.osis.source import object_source
from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output.console import echo, fail
from hero_ctl.output.visible import json_text
from hero_ctl.parameters import Argument, Option
from hero_job.model.objects.errors import ObjectNotFound


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
    with open_supervisor(store) as supervisor:
        source = object_source(supervisor, store)
        if type_name is None:
            counts = list(source.counts(context))
            if as_json:
                echo(json.dumps([dict(zip(("context_id", "type", "count"), one, strict=True)) for one in counts]))
            for context_id, name, count in () if as_json else counts:
                echo(f"{count:>10}  {name}  {context_id}")
            return
        if context is None:
            fail("name the context: --context ID; `heroctl osis list` shows all", CtlExitCode.USAGE)
        sids = list(source.sids(type_name, context, find, schemas))
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
    with open_supervisor(store) as supervisor:
        try:
            versions = object_source(supervisor, store).versions(type_name, sid, context, history=history)
        except ObjectNotFound as e:
            fail(str(e), CtlExitCode.UNKNOWN_JOB)
    for one in versions:
        echo(json_text(one))
