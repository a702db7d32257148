"""Gives the scripts of an OSIS actor access to objects, and to the rights in the context of their job.

`script_access.py` asks it. Invariant: caller, context and job are those of the job that asks; no param names another
one. Each request takes a bounded number of round trips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hero_engine.engine import Asker
from hero_job.client.store import Store
from hero_job.model.objects.acl import acl_change
from hero_job.operations.flow import Flow
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects

T = TypeVar("T")


class ScriptObjects:
    """The requests `osis.*` of scripts. Thread-safe.

    Args:
        store: Shared by the actor's threads.
        namespace: Prefix of every key.
        max_bytes: Largest object, as JSON.
    """

    def __init__(self, store: Store, namespace: str, max_bytes: int) -> None:
        self._store = store
        self._objects = Objects(namespace, max_bytes)
        self._acls = AclChanges(namespace)
        self.methods: dict[str, Callable[[Asker, Mapping[str, Any]], object]] = {
            "osis.new": self._new,
            "osis.put": self._put,
            "osis.get": self._get,
            "osis.exists": self._exists,
            "osis.delete": self._delete,
            "osis.list": self._list,
            "osis.find": self._find,
            "osis.history": self._history,
            "osis.acl": self._acl,
            "osis.acl_change": self._acl_change,
        }

    def _run(self, flow: Flow[T]) -> T:
        return self._store.drive(flow)

    def _new(self, asker: Asker, params: Mapping[str, Any]) -> str:
        return self._run(self._objects.new(_access(asker), params["type"]))

    def _put(self, asker: Asker, params: Mapping[str, Any]) -> int:
        flow = self._objects.put(
            _access(asker),
            params["type"],
            params["sid"],
            params["fields"],
            indexed=params["indexed"],
            base=params["base"],
        )
        return self._run(flow).version

    def _get(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, Any]:
        found = self._run(self._objects.get(_access(asker), params["type"], params["sid"]))
        return {"version": found.version, "fields": found.fields}

    def _exists(self, asker: Asker, params: Mapping[str, Any]) -> bool:
        return self._run(self._objects.exists(_access(asker), params["type"], params["sid"]))

    def _delete(self, asker: Asker, params: Mapping[str, Any]) -> None:
        self._run(self._objects.delete(_access(asker), params["type"], params["sid"]))

    def _list(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, Any]:
        flow = list_objects(
            self._objects, _access(asker), params["type"], cursor=params["cursor"], limit=params["limit"]
        )
        page = self._run(flow)
        return {"sids": page.sids, "cursor": page.cursor}

    def _find(self, asker: Asker, params: Mapping[str, Any]) -> dict[str, Any]:
        flow = find_objects(
            self._objects,
            _access(asker),
            params["type"],
            params["query"],
            indexed=params["indexed"],
            cursor=params["cursor"],
            limit=params["limit"],
        )
        page = self._run(flow)
        return {"sids": page.sids, "cursor": page.cursor}

    def _history(self, asker: Asker, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        versions = self._run(self._objects.history(_access(asker), params["type"], params["sid"]))
        return [
            {
                "version": one.version,
                "written_at": one.written_at,
                "caller_id": one.caller_id,
                "job_id": one.job_id,
                "fields": dict(one.fields),
            }
            for one in versions
        ]

    def _acl(self, asker: Asker, _params: Mapping[str, Any]) -> dict[str, Any]:
        return self._run(self._acls.read(_access(asker))).as_json()

    def _acl_change(self, asker: Asker, params: Mapping[str, Any]) -> None:
        change = acl_change(params["change"], params["to"], params["member"])
        self._run(self._acls.change(_access(asker), change))


def _access(asker: Asker) -> ObjectAccess:
    return ObjectAccess(context_id=asker.context_id, caller_id=asker.caller_id, job_id=asker.job_id)
