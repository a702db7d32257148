"""Writes what the TypeScript client has of the methods: `methods.js` and `methods.d.ts`.

`python -m hero_supervisor.rpc.emit.typescript clients/typescript` writes both; a test compares them with the methods.
Invariant: everything comes from the document of `rpc.discover`, so another program could write the same files.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hero_supervisor.rpc.emit.document import whole_document

_Schema = Mapping[str, Any]

_HEADER: Final = "// Written by `python -m hero_supervisor.rpc.emit.typescript`; do not edit.\n"
_COLUMNS: Final = 116
#: `subscribe` of the client calls these.
_HIDDEN: Final = frozenset({"hero_subscribe", "hero_unsubscribe"})
_PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
#: Where the web page has its copy of the modules: what is installed has no other folder.
PAGE: Final = Path(__file__).parents[2] / "page/files/client"


def files(document: _Schema) -> dict[str, str]:
    """Make the files.

    Args:
        document: Of `rpc.discover`.

    Returns:
        Name -> text.
    """
    methods = [method for method in document["methods"] if method["name"] not in _HIDDEN]
    return {
        "methods.js": "".join(_script(document["methods"], methods)),
        "methods.d.ts": "".join(_types(document, methods)),
    }


def _script(all_methods: list[_Schema], methods: list[_Schema]) -> Iterator[str]:
    yield f"{_HEADER}\n/** By name: whether a call may be repeated, and the scope that it needs. */\n"
    yield "export const METHODS = {\n"
    for method in all_methods:
        yield f"  {method['name']}: {{repeat: '{method['x-repeat']}', scope: '{method['x-scope']}'}},\n"
    yield "};\n\n/** The methods of the service; `call` makes the calls. */\nexport class HeroMethods {\n"
    yield "\n".join(
        f"  {_camel(method['name'])}(params, options) {{\n"
        f"    return this.call('{method['name']}', params, options);\n  }}\n"
        for method in methods
    )
    yield "}\n"


def _types(document: _Schema, methods: list[_Schema]) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    yield _HEADER
    for name in sorted(schemas):
        yield "\n" + _comment(schemas[name].get("description", ""))
        if "properties" in schemas[name]:
            yield f"export interface {name} {_object(schemas[name])}\n"
        else:
            yield f"export type {name} = {type_of(schemas[name])};\n"
    (notification,) = document["x-notifications"]
    for part, name in (("params", "TopicParams"), ("result", "TopicEvents")):
        yield f"\n/** The {part} of a subscription, by topic. */\nexport interface {name} {{\n"
        yield "".join(f"  {topic}: {type_of(shape[part])};\n" for topic, shape in notification["topics"].items())
        yield "}\n"
    codes = " | ".join(str(error["code"]) for error in document["x-errors"])
    yield "\n/** The codes of errors; 0 if the connection failed. */\n"
    yield f"export type ErrorCode =\n{_wrapped(f'0 | {codes}')};\n"
    yield "\n/** What every call takes beside its parameters. */\n"
    yield "export interface CallOptions {\n  /** Ends the wait for the answer. */\n  signal?: AbortSignal;\n"
    yield "  /** How long this call is repeated, in milliseconds; 0 for never. */\n  patienceMs?: number;\n}\n"
    names = "\n".join(f"  {method['name']}: {{repeat: string; scope: string}};" for method in document["methods"])
    yield f"\nexport const METHODS: {{\n{names}\n}};\n"
    yield "\n/** The methods of the service. */\nexport abstract class HeroMethods {\n"
    yield "  abstract call(method: string, params?: object, options?: CallOptions): Promise<unknown>;\n"
    for method in methods:
        said = " ".join([method["summary"], *method.get("description", "").split()])
        yield "\n" + textwrap.indent(_comment(f"{said} Scope: {method['x-scope']}."), "  ")
        result = type_of(method["result"]["schema"])
        yield f"  {_camel(method['name'])}({_params(method, schemas)}, options?: CallOptions): Promise<{result}>;\n"
    yield "}\n"


def type_of(schema: _Schema) -> str:
    """Write the type of a JSON schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f"'{value}'" for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"]).replace('"', "'")
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(option) for option in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        item = type_of(schema["items"])
        return f"({item})[]" if " | " in item else f"{item}[]"
    if kind == "object":
        if "properties" in schema:
            return _object(schema)
        values = schema.get("additionalProperties", True)
        return f"Record<string, {type_of(values) if isinstance(values, dict) and values else 'unknown'}>"
    return _PLAIN.get(str(kind), "unknown")


def _object(schema: _Schema) -> str:
    required = schema.get("required", ())
    lines = []
    for name, value in schema["properties"].items():
        if "description" in value and "\n" not in value["description"]:
            lines.append(textwrap.indent(_comment(value["description"]), "  "))
        lines.append(f"  {name}{'' if name in required else '?'}: {type_of(value)};\n")
    return "{\n" + "".join(lines) + "}"


def _params(method: _Schema, schemas: _Schema) -> str:
    """Write the parameter `params`: by name, and optional if all of them are."""
    params = method["params"]
    names = {param["name"] for param in params}
    if "job" in names and names >= set(schemas["JobFields"]["properties"]):
        return "params: JobFields | {job: JobFields}"
    if not params:
        return "params?: Record<string, never>"
    listed = "; ".join(
        f"{param['name']}{'' if param['required'] else '?'}: {type_of(param['schema'])}" for param in params
    )
    optional = "" if any(param["required"] for param in params) else "?"
    return f"params{optional}: {{{listed}}}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _comment(text: str) -> str:
    words = " ".join(text.split()).replace("*/", "* /").replace("``", "`")
    if not words:
        return ""
    if len(words) < _COLUMNS - 8:
        return f"/** {words} */\n"
    return "/**\n" + "".join(f" * {line}\n" for line in textwrap.wrap(words, _COLUMNS - 6)) + " */\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _COLUMNS, initial_indent="  ", subsequent_indent="  ")


def main() -> None:
    """Write the files to the folder that the command line names, and copy the modules to the page, which uses them."""
    folder = Path(sys.argv[1])
    for name, text in files(whole_document()).items():
        (folder / name).write_text(text, "utf-8")
    for path in folder.glob("*.js"):
        shutil.copyfile(path, PAGE / path.name)


if __name__ == "__main__":
    main()
