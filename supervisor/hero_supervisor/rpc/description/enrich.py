"""Adds to the OpenRPC document what the types and docstrings of the methods cannot say. Pure.

`rpc.discover` calls it once. Extensions begin with `x-`, as the specification allows:

- `x-scope` of a method: the scope that a client needs.
- `x-repeat` of a method: what a client may do if it does not know whether a call arrived. `safe`: call again. Other
  values: call again if the first call named this parameter (`id`, `act_id`). `no`: look first.
- `x-errors`: every error code with its kinds and the fields of `data`.
- `x-notifications`: what the server sends on its own, by topic of `hero_subscribe`.

Source: OpenRPC specification 1.3.2, https://spec.open-rpc.org/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from hero_supervisor.rpc.auth.scopes import Scope, needed_scope
from hero_supervisor.rpc.description.enums import add_enums
from hero_supervisor.rpc.description.error_kinds import all_errors, kinds_of
from hero_supervisor.rpc.methods import openrpc
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.subscriptions import notices

_Schema = dict[str, Any]

#: By the module that defines the method.
TAGS: Final[Mapping[str, str]] = {
    "methods.jobs": "jobs",
    "methods.batches": "batches",
    "methods.actors": "actors",
    "methods.queues": "queues",
    "methods.service": "service",
    "methods.openrpc": "service",
    "methods.objects.object_methods": "objects",
    "methods.overview.act_methods": "acts",
    "methods.overview.explain_methods": "jobs",
    "methods.overview.history_methods": "service",
    "methods.overview.list_methods": "lists",
    "auth.identity_methods": "identity",
    "subscriptions.event_pages": "subscriptions",
    "subscriptions.subscribe": "subscriptions",
}
#: The methods that may be called twice although they change something.
REPEATABLE: Final[Mapping[str, str]] = {
    "create_job": "id",
    "run_job": "id",
    "stop_jobs": "act_id",
    "retry_jobs": "act_id",
    "delete_jobs": "act_id",
    "stop_job": "safe",
    "pause_queue": "safe",
    "resume_queue": "safe",
    "create_schedule": "safe",
    "pause_schedule": "safe",
    "resume_schedule": "safe",
    "scale_actors": "safe",
    "reload": "safe",
    "authenticate": "safe",
    "fetch_nonce": "safe",
}
_LOOKS: Final = ("get_", "list_")
#: A reader's methods can be called again, except that each call of these makes or ends something on its connection.
_OF_A_CONNECTION: Final = frozenset({"hero_subscribe", "hero_unsubscribe"})
#: What each topic sends, beside notices about the subscription itself.
_EVENTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "jobs": (notices.JobEvent,),
    "logs": (notices.LogEvent, notices.LogEnd),
    "actors": (notices.ActorEvent,),
    "metrics": (notices.MetricsEvent,),
    "audit": (notices.AuditEvent,),
}


def enrich(document: _Schema, dispatcher: Dispatcher) -> None:
    """Add enumerations, scopes, tags, kinds of errors and notifications.

    Args:
        document: As `openrpc.describe` has made it; it is changed.
        dispatcher: Has the methods that it describes.
    """
    schemas: _Schema = document["components"]["schemas"]
    document["x-notifications"] = [_notification(schemas)]
    for method in document["methods"]:
        name = method["name"]
        scope = needed_scope(name)
        method["tags"] = [{"name": tag_of(dispatcher, name)}]
        method["x-scope"] = scope.name.lower()
        method["x-repeat"] = repeat_of(name)
        for error in method["errors"]:
            error["data"] = {"kinds": kinds_of(error["code"])}
    add_enums(document)
    document["x-errors"] = all_errors()


def tag_of(dispatcher: Dispatcher, name: str) -> str:
    """Return the group that a method belongs to."""
    module = dispatcher.methods[name].function.__module__
    return TAGS[module.removeprefix("hero_supervisor.rpc.")]


def repeat_of(name: str) -> str:
    """Tell what a client may do if it does not know whether its call of a method arrived."""
    if name in REPEATABLE:
        return REPEATABLE[name]
    looks = name.startswith(_LOOKS) or needed_scope(name) <= Scope.READ
    return "safe" if looks and name not in _OF_A_CONNECTION else "no"


def _notification(schemas: _Schema) -> _Schema:
    """Describe `hero_subscription`; OpenRPC itself has no notifications of a server."""
    of_itself = openrpc.schema_of(notices.Notice, schemas)
    topics = {}
    for topic, wanted in notices.WANTED.items():
        events = [openrpc.schema_of(event, schemas) for event in _EVENTS[topic]]
        topics[topic] = {
            "params": openrpc.hoisted(TypeAdapter.json_schema(wanted, ref_template=openrpc.REF_TEMPLATE), schemas),
            "result": {"anyOf": [*events, of_itself]},
        }
    return {
        "name": "hero_subscription",
        "summary": "An event of a subscription, or the error that ends it.",
        "topics": topics,
    }
