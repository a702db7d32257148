"""The methods on objects of OSIS and on the rights in their contexts.

They do what the functions of scripts do, with the same rights. Invariant: an object that is written here has passed the
schema of its type; without the schema it can be read and deleted only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import Field

from hero_job.model.objects.acl import acl_change
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.objects.stored_object import check_type
from hero_job.operations.flow import Flow
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_supervisor.rpc.methods.objects import object_shapes as shapes
from hero_supervisor.rpc.methods.objects.object_shapes import ContextId, ObjectCursor, ObjectLimit, ObjectType, Sid
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

T = TypeVar("T")

_Version = Annotated[
    int | None,
    Field(ge=0, description="The version that was changed; 0 for a new object, null to replace whatever there is."),
]
_Fields = Annotated[dict[str, Any], Field(description="The fields of the object, without its SID.")]


class TypeSource(Protocol):
    """The types that objects are checked with."""

    max_bytes: int

    def of(self, namespace: str) -> TypeChecks | None:
        """The types of a namespace; None if they are not known here."""


class TypeChecks(Protocol):
    """The types of one schema; see `hero_engine.languages.oschema.models`."""

    def new(self, type_name: str) -> dict[str, Any]:
        """Make the fields of a new object."""

    def check(self, type_name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Check the fields of an object; raises a ValueError."""

    def indexed(self, type_name: str) -> tuple[str, ...]:
        """The fields that `find` looks into."""


class Sessions(Protocol):
    """Whose request it is; see `rpc.auth.object_session`."""

    def access(self, context_id: str | None, *, writes: bool = False) -> ObjectAccess:
        """Make the access of the current request."""

    def is_operator(self) -> bool:
        """Whether the current connection may see all contexts."""


class ObjectMethods:
    """The methods on objects.

    Args:
        supervisor: Whose store has them.
        sessions: Whose request it is.
        types: The types that objects are checked with.
    """

    def __init__(self, supervisor: AsyncSupervisor, sessions: Sessions, types: TypeSource) -> None:
        self._store = supervisor.store
        namespace = supervisor.operations.keys.namespace
        self._objects = Objects(namespace, types.max_bytes)
        self._acls = AclChanges(namespace)
        self._sessions = sessions
        self._types = types

    async def new_object(self, type: ObjectType, context_id: ContextId = None) -> shapes.ObjectView:
        """Return an object with the defaults of its type and a new SID; set_object then stores it."""
        types, name = self._known(type)
        access = self._sessions.access(context_id, writes=True)
        fields = _checked(lambda: types.new(name))
        sid = await self._run(self._objects.new(access, type))
        return {
            "sid": sid, "type": type, "version": 0, "written_at": None, "written_by": access.caller_id, "job_id": "",
            "fields": fields,
        }  # fmt: skip

    async def set_object(  # a client may give any of its parameters by position
        self,
        type: ObjectType,
        sid: Sid,
        fields: _Fields,
        version: _Version = None,
        context_id: ContextId = None,
    ) -> shapes.ObjectWritten:
        """Store an object. It is refused if it does not fit its type, or was changed since the given version."""
        types, name = self._known(type)
        access = self._sessions.access(context_id, writes=True)
        checked = _checked(lambda: types.check(name, fields))
        flow = self._objects.put(access, type, sid, checked, indexed=types.indexed(name), base=version)
        return {"sid": sid, "version": (await self._run(flow)).version}

    async def get_object(self, type: ObjectType, sid: Sid, context_id: ContextId = None) -> shapes.ObjectView:
        """Return an object."""
        access = self._sessions.access(context_id)
        return shapes.object_view(type, await self._run(self._objects.get(access, type, sid)))

    async def delete_object(
        self, type: ObjectType, sid: Sid, version: _Version = None, context_id: ContextId = None
    ) -> None:
        """Delete an object and its history."""
        access = self._sessions.access(context_id, writes=True)
        await self._run(self._objects.delete(access, type, sid, base=version))

    async def list_objects(
        self,
        type: ObjectType,
        cursor: ObjectCursor = "",
        limit: ObjectLimit = 100,
        context_id: ContextId = None,
    ) -> shapes.SidPage:
        """Return one page of the SIDs of all objects of a type."""
        access = self._sessions.access(context_id)
        flow = list_objects(self._objects, access, type, cursor=cursor, limit=limit)
        return shapes.page_view(await self._run(flow))

    async def find_objects(  # a client may give any of its parameters by position
        self,
        type: ObjectType,
        query: Annotated[str, Field(max_length=2000, description="word, word*, field:word, phrases, AND OR NOT ( ).")],
        cursor: ObjectCursor = "",
        limit: ObjectLimit = 100,
        context_id: ContextId = None,
    ) -> shapes.SidPage:
        """Return one page of the SIDs of the objects that a query finds in indexed fields."""
        types, name = self._known(type)
        access = self._sessions.access(context_id)
        indexed = _checked(lambda: types.indexed(name))
        flow = find_objects(self._objects, access, type, query, indexed=indexed, cursor=cursor, limit=limit)
        return shapes.page_view(await self._run(flow))

    async def get_object_history(
        self, type: ObjectType, sid: Sid, context_id: ContextId = None
    ) -> list[shapes.ObjectView]:
        """Return the last ten versions of an object, the newest first."""
        access = self._sessions.access(context_id)
        versions = await self._run(self._objects.history(access, type, sid))
        return [shapes.object_view(type, one) for one in versions]

    async def list_object_types(self, context_id: ContextId = None) -> list[shapes.ObjectCount]:
        """Return the types that a context has objects of; for an administrator without a context, those of all."""
        if context_id is None and self._sessions.is_operator():
            return await self._all_types()
        access = self._sessions.access(context_id)
        counts = await self._run(self._objects.types(access))
        return [{"context_id": access.context_id, "type": name, "count": count} for name, count in counts.items()]

    async def get_object_rights(self, context_id: ContextId = None) -> shapes.ObjectRightsView:
        """Return who may do what with the objects of a context; for its owner and its administrators."""
        found = await self._run(self._acls.read(self._sessions.access(context_id)))
        return found.as_json()  # type: ignore[return-value]  # it has these members

    async def change_object_rights(
        self,
        change: Annotated[str, Field(max_length=100, description="grant or revoke a right; join or leave a group.")],
        to: Annotated[str, Field(max_length=200, description="read, write or admin; or the name of a group.")],
        member: Annotated[str, Field(max_length=210, description="A caller, or group:NAME.")],
        context_id: ContextId = None,
    ) -> shapes.ObjectRightsView:
        """Change who may do what with the objects of a context; for its owner and its administrators."""
        access = self._sessions.access(context_id, writes=True)
        found = await self._run(self._acls.change(access, acl_change(change, to, member)))
        return found.as_json()  # type: ignore[return-value]  # it has these members

    async def _all_types(self) -> list[shapes.ObjectCount]:
        found: list[shapes.ObjectCount] = []
        after = ""
        while True:
            pairs, after = await self._run(self._objects.context_page(after))
            counts = await self._run(self._objects.counts(pairs))
            found += [{"context_id": context, "type": name, "count": count} for context, name, count in counts]
            if not after:
                return found

    async def _run(self, flow: Flow[T]) -> T:
        return await self._store.drive(flow)

    def _known(self, type_name: str) -> tuple[TypeChecks, str]:
        namespace, _, name = check_type(type_name).partition(".")
        types = self._types.of(namespace)
        if types is None:
            reason = f"no osis entry of this service has the namespace '{namespace}'; ask a service that has one"
            raise ObjectInvalid("invalid name", reason)
        return types, name


def _checked(check: Any) -> Any:
    try:
        return check()
    except ValueError as e:
        raise ObjectInvalid("serialization error", str(e)) from e


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, sessions: Sessions, types: TypeSource) -> None:
    """Register the methods on objects."""
    methods = ObjectMethods(supervisor, sessions, types)
    add = dispatcher.register
    codes = (ErrorCode.FORBIDDEN, *STORE_CODES)
    one = (ErrorCode.OBJECT_NOT_FOUND, *codes)
    changing = (ErrorCode.OBJECT_CHANGED, ErrorCode.SIGNATURE_REFUSED, *codes)
    add("new_object", methods.new_object, error_codes=codes)
    add("set_object", methods.set_object, error_codes=changing)
    add("get_object", methods.get_object, error_codes=one)
    add("delete_object", methods.delete_object, error_codes=(ErrorCode.OBJECT_NOT_FOUND, *changing))
    add("list_objects", methods.list_objects, error_codes=codes)
    add("find_objects", methods.find_objects, error_codes=codes)
    add("get_object_history", methods.get_object_history, error_codes=one)
    add("list_object_types", methods.list_object_types, error_codes=codes)
    add("get_object_rights", methods.get_object_rights, error_codes=codes)
    add("change_object_rights", methods.change_object_rights, error_codes=changing)
