"""Puts enumerations where the types of results and parameters say only *text*. Pure.

The wire carries plain texts, and the functions that build results have plain texts. Which of them are members of an
enumeration is said here, by the name of the field. Invariant: the members come from the enumerations of the code; a
test compares the results of a real service with the description.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from hero_job.model.fields.routing import Priority, ScriptType
from hero_job.model.overview.acts import ActKind, ActState
from hero_job.model.overview.explanation import WaitReason
from hero_job.model.status import JobStatus
from hero_job.operations.schedules import Missed, Overlap
from hero_supervisor.policy.child_state import Phase, Restart
from hero_supervisor.process.spec import Strategy

_Schema = dict[str, Any]


class GrantedScope(StrEnum):
    """What a connection may do; each scope includes those before it."""

    NONE = "none"
    READ = "read"
    USER = "user"
    ADMIN = "admin"


class HealthState(StrEnum):
    """Whether the service does its work."""

    OK = "ok"
    DEGRADED = "degraded"


class AttemptOutcome(StrEnum):
    """How an attempt ended: `failed` if the job was to be repeated, `interrupted` if its actor ended, `crashed` if it
    ended the process that it ran in alone.
    """

    FINISHED = "finished"
    ERROR = "error"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"
    RUNNING = "running"


#: Of every field with this name, unless the second table has the place.
BY_FIELD: Final[Mapping[str, type[StrEnum]]] = {
    "script_type": ScriptType,
    "status": JobStatus,
    "priority": Priority,
    "phase": Phase,
    "overlap": Overlap,
    "missed": Missed,
}
#: By object and field, and by method for results that are no objects.
BY_PLACE: Final[Mapping[str, type[StrEnum] | None]] = {
    "Health.status": HealthState,
    "JobEvent.script_type": None,  # as the job's hash spells it
    "CountSeries.script_type": None,  # or `unknown`, for jobs that cannot be read
    "CountTotals.script_type": None,
    "get_history.script_type": None,
    "ActorEvent.script_type": None,  # another program may have written it
    "ActorEntryView.script_type": None,  # entries of the config have it in lower case
    "ActorEntryView.restart": Restart,
    "ActorEntryView.strategy": Strategy,
    "ActView.kind": ActKind,
    "ActView.state": ActState,
    "AttemptView.outcome": AttemptOutcome,
    "JobExplanation.reason": WaitReason,
    "Identity.scope": GrantedScope,
    "get_job_status": JobStatus,
    "stop_job": JobStatus,
}


def add_enums(document: _Schema) -> set[str]:
    """Replace texts that are members of enumerations by references to these.

    Args:
        document: OpenRPC document; it is changed.

    Returns:
        The rows of the tables that were used.
    """
    schemas: _Schema = document["components"]["schemas"]
    used: set[str] = set()

    def enum_of(place: str, field: str) -> type[StrEnum] | None:
        row = place if place in BY_PLACE else field
        found = BY_PLACE[place] if place in BY_PLACE else BY_FIELD.get(field)
        if row in BY_PLACE or found is not None:
            used.add(row)
        return found

    for name, schema in list(schemas.items()):
        for field, value in schema.get("properties", {}).items():
            if (kind := enum_of(f"{name}.{field}", field)) is not None:
                schema["properties"][field] = _with_enum(value, kind, schemas)
    for method in document["methods"]:
        for param in method["params"]:
            if (kind := enum_of(f"{method['name']}.{param['name']}", param["name"])) is not None:
                param["schema"] = _with_enum(param["schema"], kind, schemas)
        if (kind := BY_PLACE.get(method["name"])) is not None:
            used.add(method["name"])
            method["result"]["schema"] = _with_enum(method["result"]["schema"], kind, schemas)
    return used


def _with_enum(schema: _Schema, kind: type[StrEnum], schemas: _Schema) -> _Schema:
    """Put a reference to an enumeration in the place of a text, also of one that may be null or in a list."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_enum(option, kind, schemas) for option in schema["anyOf"]]}
    if schema.get("type") == "array":
        return {**schema, "items": _with_enum(schema["items"], kind, schemas)}
    if schema.get("type") != "string":
        return schema
    name = kind.__name__
    schemas.setdefault(
        name,
        {
            "description": " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split()),
            "type": "string",
            "enum": [member.value for member in kind],
        },
    )
    kept: _Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    return {"$ref": f"#/components/schemas/{name}", **kept}
