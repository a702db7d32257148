"""Writes what the Rust client has of the methods: `src/api`, `src/types`, `src/codes.rs`, `src/rules.rs`.

`python -m hero_supervisor.rpc.emit.rust clients/rust` writes them, and `examples/calls/answers.rs`, with which tests
read the answer of each method as its type. A test compares them with the methods. There is a trait and a file per tag
of `rpc.discover`. Invariant: everything comes from its document, as for TypeScript.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hero_supervisor.rpc.emit.document import whole_document
from hero_supervisor.rpc.emit.rust_types import (
    Schema,
    borrowed,
    camel,
    comment,
    enumeration,
    identifier,
    struct,
    type_of,
    union,
)

_HEADER: Final = "// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.\n"
#: `HeroClient::subscribe` calls these.
_HIDDEN: Final = frozenset({"hero_subscribe", "hero_unsubscribe"})
#: A method with more optional parameters takes them as a struct.
_MOST_OPTIONAL: Final = 2
_COMMON: Final = "common"
_NOTIFIED: Final = "subscriptions"


class _Emitter:
    def __init__(self, document: Schema) -> None:
        self._schemas: dict[str, Schema] = document["components"]["schemas"]
        self._errors = document["x-errors"]
        self._all = document["methods"]
        self._topics: dict[str, Schema] = document["x-notifications"][0]["topics"]
        self._tags: dict[str, list[Schema]] = {}
        for method in self._all:
            if method["name"] not in _HIDDEN:
                self._tags.setdefault(method["tags"][0]["name"], []).append(method)
        self._unions: dict[str, list[str]] = {}

    def files(self) -> dict[str, str]:
        written = {f"src/api/{tag}.rs": "".join(self._trait(tag)) for tag in self._tags}
        written["src/api/mod.rs"] = "".join(self._traits())
        rooms = self._rooms()
        for room in sorted({*rooms.values(), *self._tags}):
            written[f"src/types/{room}.rs"] = "".join(self._types(room, rooms))
        written["src/types/mod.rs"] = "".join(self._rooms_of_types())
        written["src/codes.rs"] = "".join(self._codes())
        written["src/rules.rs"] = "".join(self._rules())
        written["examples/calls/answers.rs"] = "".join(self._answers())
        return written

    # Methods.

    def _trait(self, tag: str) -> Iterator[str]:
        text = "\n".join(self._method(method) for method in self._tags[tag])
        maps = "use std::collections::BTreeMap;\n\nuse serde_json::Value;\n\n" if "BTreeMap" in text else ""
        yield f"{_HEADER}\n{maps}use super::methods;\nuse crate::types::*;\n\nmethods! {{\n"
        yield f"    /// The methods of {tag}.\n    {camel(tag)}Api {{\n{text}    }}\n}}\n"

    def _method(self, method: Schema) -> str:
        said = " ".join([method["summary"], *method.get("description", "").split()])
        about = comment(f"{said} Scope: {method['x-scope']}.", "        ")
        result = type_of(method["result"]["schema"], self._unions)
        return f"{about}        {method['name']}({self._arguments(method)}) -> {result};\n"

    def _arguments(self, method: Schema) -> str:
        if self._takes_job(method):
            return f"{identifier('job')}: &JobFields"
        required, optional = _split(method)
        written = [f"{identifier(p['name'])}: {borrowed(type_of(p['schema'], self._unions))}" for p in required]
        if len(optional) > _MOST_OPTIONAL:
            return f"{', '.join(written)}; options: &{_options(method)}"
        for param in optional:
            kind = borrowed(type_of(param["schema"], self._unions))
            written.append(f"{identifier(param['name'])}: {kind if kind.startswith('Option<') else f'Option<{kind}>'}")
        return ", ".join(written)

    def _takes_job(self, method: Schema) -> bool:
        names = {param["name"] for param in method["params"]}
        return "job" in names and names >= set(self._schemas["JobFields"]["properties"])

    def _traits(self) -> Iterator[str]:
        yield f"{_HEADER}\n//! The methods of the service, as traits of every client of jsonrpsee.\n\n"
        yield "use super::methods;\n\n"
        yield "".join(f"mod {tag};\n" for tag in sorted(self._tags)) + "\n"
        yield "".join(f"pub use {tag}::{camel(tag)}Api;\n" for tag in sorted(self._tags))
        bounds = "\n    + ".join(f"{camel(tag)}Api" for tag in sorted(self._tags))
        yield f"\n/// All methods of the service.\npub trait HeroApi:\n    {bounds}\n{{\n}}\n\n"
        yield "impl<C: super::Caller> HeroApi for C {}\n"

    # Types.

    def _rooms(self) -> dict[str, str]:
        """Name of a schema -> the tag whose methods alone use it, or the common room."""
        used: dict[str, set[str]] = {}
        for tag, methods in self._tags.items():
            for method in methods:
                self._mark(method["result"]["schema"], tag, used)
                for param in method["params"]:
                    self._mark(param["schema"], tag, used)
        self._mark(self._topics, _NOTIFIED, used)
        return {name: next(iter(tags)) if len(tags) == 1 else _COMMON for name, tags in used.items()}

    def _mark(self, node: Any, tag: str, used: dict[str, set[str]]) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                name = node["$ref"].rpartition("/")[2]
                if tag not in used.setdefault(name, set()):
                    used[name].add(tag)
                    self._mark(self._schemas[name], tag, used)
            for value in node.values():
                self._mark(value, tag, used)
        elif isinstance(node, list):
            for value in node:
                self._mark(value, tag, used)

    def _types(self, room: str, rooms: dict[str, str]) -> Iterator[str]:
        self._unions = {}
        written = [text for name in sorted(rooms) if rooms[name] == room for text in self._type(name)]
        for method in self._tags.get(room, ()):
            type_of(method["result"]["schema"], self._unions)
            optional = [] if self._takes_job(method) else _split(method)[1]
            if len(optional) > _MOST_OPTIONAL:
                about = f"The optional parameters of `{method['name']}`."
                schema = {"description": about, "properties": {p["name"]: p["schema"] for p in optional}}
                written += ["\n", *struct(_options(method), schema, given=True, unions=self._unions)]
        if room == _NOTIFIED:
            written += self._messages()
        written += [text for name, options in self._unions.items() for text in ("\n", *union(name, options))]
        text = "".join(written)
        uses = ["use super::*;\n"] if room != _COMMON or "JobStatus" in text else []
        yield f"{_HEADER}\n{''.join(uses)}{text}"

    def _type(self, name: str) -> Iterator[str]:
        schema = self._schemas[name]
        yield "\n"
        if "enum" in schema:
            yield from enumeration(name, schema)
        else:
            given = name.endswith("Wanted") or name in ("JobFields", "JobFilterParams")
            yield from struct(name, schema, given=given, unions=self._unions)

    def _messages(self) -> Iterator[str]:
        for topic, shape in self._topics.items():
            name = f"{camel(topic)}Message"
            yield "\n"
            yield from union(name, [type_of(option, self._unions) for option in shape["result"]["anyOf"]])
            yield f"\nimpl crate::Topic for {type_of(shape['params'], self._unions)} {{\n"
            yield f'    const NAME: &str = "{topic}";\n    type Message = {name};\n}}\n'

    def _rooms_of_types(self) -> Iterator[str]:
        yield f"{_HEADER}\n//! What the methods take and answer.\n\n"
        yield "#![allow(unused_imports)] // each file has the same\n\n"
        yield "use std::collections::BTreeMap;\n\nuse serde::{Deserialize, Serialize};\nuse serde_json::Value;\n\n"
        rooms = sorted({*self._rooms().values(), *self._tags})
        yield "".join(f"mod {room};\n" for room in rooms) + "\n"
        yield "".join(f"pub use {room}::*;\n" for room in rooms)

    # Tables.

    def _codes(self) -> Iterator[str]:
        yield f"{_HEADER}\n//! The codes of errors of the service, by name.\n"
        for error in self._errors:
            kinds = ", ".join(f"`{kind}`" for kind in error["kinds"])
            about = "Its kinds are those of failed jobs." if "`*`" in kinds else f"Its kinds: {kinds}."
            yield f"\n{comment(about)}pub const {error['name'].upper()}: i32 = {error['code']};\n"

    def _rules(self) -> Iterator[str]:
        yield f"{_HEADER}\n//! Whether a call may be repeated whose answer was lost: `x-repeat` of `rpc.discover`.\n\n"
        yield "/// `safe`, or the parameter that must be given, or `no`; in the order of the names.\n"
        yield "pub(crate) const RULES: &[(&str, &str)] = &[\n"
        for method in sorted(self._all, key=lambda method: str(method["name"])):
            yield f'    ("{method["name"]}", "{method["x-repeat"]}"),\n'
        yield "];\n"

    def _answers(self) -> Iterator[str]:
        yield f"{_HEADER}\n//! The type of each method's answer.\n\n"
        yield "use std::collections::BTreeMap;\n\n" if "BTreeMap" in str(self._results()) else ""
        yield "use hero_client::types::*;\nuse serde_json::{Result, Value, from_value, to_value};\n\n"
        yield "/// Reads an answer as its type, and writes it again.\n"
        yield "pub(crate) fn typed(method: &str, answer: Value) -> Result<Value> {\n    match method {\n"
        for name, result in self._results().items():
            yield f'        "{name}" => to_value(from_value::<{result}>(answer)?),\n'
        yield '        _ => panic!("no method {method}"),\n    }\n}\n'

    def _results(self) -> dict[str, str]:
        shown = (method for methods in self._tags.values() for method in methods)
        return {method["name"]: type_of(method["result"]["schema"], self._unions) for method in shown}


def files(document: Schema) -> dict[str, str]:
    """Make the files.

    Args:
        document: Of `rpc.discover`.

    Returns:
        Path in the folder of the client -> text.
    """
    return _Emitter(document).files()


def _split(method: Schema) -> tuple[list[Schema], list[Schema]]:
    """Return the required and the optional parameters."""
    params = method["params"]
    return [p for p in params if p["required"]], [p for p in params if not p["required"]]


def _options(method: Schema) -> str:
    return f"{camel(method['name'])}Options"


def main() -> None:
    """Write the files to the folder that the command line names."""
    for name, text in files(whole_document()).items():
        path = Path(sys.argv[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
