"""The functions by which scripts use objects, made from the schemas of the actor: `osis_hero_note_new()` and so on.

`catalogue.py` asks for the family when a script mentions one of its names. The types check an object here; the actor,
which `call.ask` reaches, stores it and decides about rights. Invariant: no function takes a caller, a context or a
path; the actor takes them from the job. An object is a map for scripts: its fields, `sid`, and two entries of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from hero_engine.errors import EngineUnavailable, FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.objects.field_functions import (
    TYPE_ENTRY,
    VERSION_ENTRY,
    add_common,
    add_enumeration,
    add_setters,
    checked,
    offer,
)
from hero_engine.languages.oschema.errors import SchemaError
from hero_engine.languages.oschema.files import read_schema_folder
from hero_engine.languages.oschema.models import ObjectTypes
from hero_engine.rights import ObjectOffer

#: Most SIDs that a list without pages returns. A script that has more of them should say so.
MAX_LISTED: Final = 10_000
_PAGE: Final = 1_000


def load_family(offer: ObjectOffer) -> Family:
    """Make the family of an actor's objects.

    Args:
        offer: Its schemas and namespace.

    Raises:
        EngineUnavailable: A schema cannot be used; names file, line and column.
    """
    try:
        return object_family(ObjectTypes(read_schema_folder(offer.schemas)), offer.namespace)
    except SchemaError as e:
        raise EngineUnavailable("objects", str(e), "Correct the schema, or osis_schemas.") from e


def object_family(types: ObjectTypes, namespace: str) -> Family:
    """Make the family.

    Args:
        types: The types of the actor.
        namespace: The part of the functions' names between `osis_` and the type.
    """
    family = Family("osis", "Typed objects with search, history and rights, kept in the context of the job.")
    _add_rights(family)
    add_common(family, types)
    for type_name in types.names:
        ObjectFunctions(types, namespace, type_name).add_to(family)
    for name, values in types.schema.enumerations.items():
        add_enumeration(family, name, values)
    add_setters(family, types)
    return family


class ObjectFunctions:
    """The functions of one type.

    Args:
        types: The types of the actor.
        namespace: See `object_family`.
        type_name: The type.
    """

    def __init__(self, types: ObjectTypes, namespace: str, type_name: str) -> None:
        self._types = types
        self._name = type_name
        self._prefix = f"osis_{namespace}_{type_name}_"
        self._where = {"type": f"{namespace}.{type_name}"}

    def add_to(self, family: Family) -> None:
        """Add the functions under all their names."""
        name, many = self._name, plural(self._name)
        offer(family, self._blank, f"Make a {name} with the defaults of its type and no SID.", f"{name}_new")
        offer(
            family,
            self._new,
            f"Make a {name} with a new SID. It is stored by set.",
            self._prefix + "new",
            f"new_{name}",
        )
        offer(
            family, self._set,
            f"Store a {name} and return its SID; refused if somebody else has changed it since it was read.",
            self._prefix + "set", f"save_{name}",
        )  # fmt: skip
        offer(family, self._get, f"Read a {name}.", self._prefix + "get", f"get_{name}")
        offer(family, self._exists, f"Whether there is such a {name}.", self._prefix + "exists")
        offer(family, self._delete, f"Delete a {name} and its history.", self._prefix + "delete", f"delete_{name}")
        offer(
            family, self._list, f"The SIDs of all {many}, at most {MAX_LISTED}.", self._prefix + "list", f"list_{many}"
        )
        offer(
            family, self._find, f"The SIDs of the {many} that a query finds, at most {MAX_LISTED}.",
            self._prefix + "find", f"find_{many}",
        )  # fmt: skip
        offer(
            family, self._list_page,
            f"Up to 1000 SIDs of {many} and the cursor of the next page, which is empty after the last one.",
            self._prefix + "list_page",
        )  # fmt: skip
        offer(
            family, self._find_page,
            f"Up to 1000 SIDs of {many} that a query finds, and the cursor of the next page, which is empty after the "
            "last one. A page may be short, or empty, and not be the last one.",
            self._prefix + "find_page",
        )  # fmt: skip
        offer(
            family, self._history, f"The last ten versions of a {name}, the newest first, with who wrote them when.",
            self._prefix + "history",
        )  # fmt: skip

    def _blank(self) -> dict[str, Any]:
        return self._map("", 0, self._types.new(self._name))

    def _new(self, call: Call) -> dict[str, Any]:
        return self._map(call.ask("osis.new", self._where), 0, self._types.new(self._name))

    def _set(self, call: Call, object: dict[str, Any]) -> str:  # the name that scripts read
        if object.get(TYPE_ENTRY, self._name) != self._name:
            raise FunctionError(f"serialization error: this is a {object[TYPE_ENTRY]}, not a {self._name}")
        sid, base = object.get("sid"), object.get(VERSION_ENTRY)
        if base is not None and (not isinstance(base, int) or isinstance(base, bool) or base < 0):
            raise FunctionError(f"serialization error: {VERSION_ENTRY} is the version that get returned")
        fields = checked(self._types, self._name, object)
        if not sid:
            sid, base = call.ask("osis.new", self._where), 0
        indexed = self._types.indexed(self._name)
        call.ask("osis.put", {**self._where, "sid": sid, "fields": fields, "indexed": indexed, "base": base})
        return str(sid)

    def _get(self, call: Call, sid: str) -> dict[str, Any]:
        found = call.ask("osis.get", {**self._where, "sid": sid})
        return self._map(sid, found["version"], found["fields"])

    def _exists(self, call: Call, sid: str) -> bool:
        return bool(call.ask("osis.exists", {**self._where, "sid": sid}))

    def _delete(self, call: Call, sid: str) -> None:
        call.ask("osis.delete", {**self._where, "sid": sid})

    def _list(self, call: Call) -> list[str]:
        return self._all(call, "list", {})

    def _find(self, call: Call, query: str) -> list[str]:
        return self._all(call, "find", self._query(query))

    def _list_page(self, call: Call, cursor: str = "", limit: int = _PAGE) -> dict[str, Any]:
        return dict(call.ask("osis.list", {**self._where, "cursor": cursor, "limit": limit}))

    def _find_page(self, call: Call, query: str, cursor: str = "", limit: int = _PAGE) -> dict[str, Any]:
        return dict(call.ask("osis.find", {**self._where, **self._query(query), "cursor": cursor, "limit": limit}))

    def _history(self, call: Call, sid: str) -> list[Any]:
        versions = call.ask("osis.history", {**self._where, "sid": sid})
        return [{"object": self._map(sid, one["version"], one.pop("fields")), **one} for one in versions]

    def _query(self, query: str) -> dict[str, Any]:
        return {"query": query, "indexed": self._types.indexed(self._name)}

    def _all(self, call: Call, what: str, params: dict[str, Any]) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            call.check()
            page = call.ask(f"osis.{what}", {**self._where, **params, "cursor": cursor, "limit": _PAGE})
            found += page["sids"]
            cursor = page["cursor"]
            if len(found) > MAX_LISTED:
                raise FunctionError(
                    f"index error: there are more than {MAX_LISTED} {plural(self._name)}; "
                    f"read them in pages with {self._prefix}{what}_page"
                )
            if not cursor:
                return found

    def _map(self, sid: str, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "sid": sid, TYPE_ENTRY: self._name, VERSION_ENTRY: version}


def plural(name: str) -> str:
    """The plural of a type's name: notes, addresses, categories."""
    if re.search("[^aeiou]y$", name):
        return name[:-1] + "ies"
    return name + ("es" if re.search("(s|x|ch|sh)$", name) else "s")


def _add_rights(family: Family) -> None:
    def rights(call: Call) -> dict[str, Any]:
        return dict(call.ask("osis.acl", {}))

    def change(what: str) -> Callable[..., Any]:
        def run(call: Call, to: str, member: str) -> None:
            call.ask("osis.acl_change", {"change": what, "to": to, "member": member})

        return run

    offer(family, rights, "The lists of rights of this context: admin, write, read and groups.", "osis_acl")
    texts = {
        "grant": 'Give a right (read, write, admin) in this context to a caller, or to a group: "group:NAME".',
        "revoke": "Take a right in this context away from a caller or a group.",
        "join": 'Add a caller, or another group as "group:NAME", to a group of this context.',
        "leave": "Take a caller or a group out of a group of this context.",
    }
    for what, text in texts.items():
        offer(family, change(what), text, f"osis_acl_{what}")
