"""Writes the pages of the documentation on what a supervisor answers: its methods, error codes and metrics.

`python -m scripts.reference_pages` puts them into docs/reference; a test compares them with the code. Invariant: the
page of the methods has only what is in the document of `rpc.discover`.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hero_supervisor.rpc.description.error_cures import CURES
from hero_supervisor.rpc.description.error_kinds import ANY_KIND, KINDS
from hero_supervisor.rpc.protocol import wire

_Schema = Mapping[str, Any]

#: Methods that take the fields of a job have this parameter; its fields are listed once.
_JOB: Final = "job"
_FIELDS: Final = "JobFields"
_COLUMNS: Final = 120
_METRICS: Final = Path(__file__).parents[1] / "metrics"
#: A member of `ErrorCode` with its meaning.
_CODE: Final = re.compile(r"^    ([A-Z_]+) = -?\d+  #: (.+)$", re.MULTILINE)
_FAMILIES: Final = frozenset({"gauge", "counter", "histogram"})


def methods_page(document: _Schema) -> Iterator[str]:
    """Write the methods by their tags, and the types that they name, as lines of Markdown.

    Args:
        document: Of `rpc.discover`.
    """
    schemas: _Schema = document["components"]["schemas"]
    by_tag: dict[str, list[_Schema]] = {}
    for method in sorted(document["methods"], key=lambda method: str(method["name"])):
        by_tag.setdefault(method["tags"][0]["name"], []).append(method)
    yield "\n| method | scope | repeat | does |\n|---|---|---|---|"
    for methods in by_tag.values():
        for method in methods:
            name, scope, repeat = method["name"], method["x-scope"], method["x-repeat"]
            yield f"| [`{name}`](#{name}) | {scope} | `{repeat}` | {_prose(method['summary'])} |"
    for tag, methods in by_tag.items():
        yield f"\n## Methods: {tag}"
        for method in methods:
            yield from _method(method, schemas)
    yield "\n## Types"
    for name, schema in sorted(schemas.items()):
        if name == _FIELDS or "properties" in schema:
            yield f"\n### Type {name}\n"
            if text := schema.get("description"):
                yield textwrap.fill(_prose(text), _COLUMNS) + "\n"
            required = frozenset(schema.get("required", ()))
            yield from _table("field", schema["properties"], required, schemas)


def metric_families() -> Iterator[tuple[str, str, str]]:
    """Find the families of metrics in the code that writes them.

    Yields:
        Name, kind (`gauge`, `counter`, `histogram`) and what it tells, in the order of the code.

    Raises:
        ValueError: A call whose name or text is not a literal, nor a name that is assigned one.
    """
    for path in sorted(_METRICS.glob("*_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        texts = {
            node.targets[0].id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
        for call in sorted(calls, key=lambda call: call.lineno):
            if isinstance(call.func, ast.Name) and call.func.id in _FAMILIES:
                name, text = (texts.get(a.id, a) if isinstance(a, ast.Name) else a for a in call.args[:2])
                yield ast.literal_eval(name), call.func.id, ast.literal_eval(text)


def metrics_page() -> Iterator[str]:
    """Write the families of metrics as lines of Markdown."""
    yield "\n| name | kind | meaning |\n|---|---|---|"
    for name, kind, text in sorted(metric_families()):
        yield f"| `{name}` | {kind} | {_prose(text)} |"


def error_codes_page() -> Iterator[str]:
    """Write the error codes with their meanings, kinds and cures as lines of Markdown."""
    yield "\n| code | name | kinds | meaning | what to do |\n|---|---|---|---|---|"
    meanings = dict(_CODE.findall(Path(wire.__file__).read_text("utf-8")))
    for code in sorted(wire.ErrorCode, key=lambda code: (code > 0, abs(code))):
        kinds = ", ".join("any [kind](error-kinds.md)" if kind == ANY_KIND else f"`{kind}`" for kind in KINDS[code])
        name = code.name.lower().replace("_", " ")
        yield f"| {code.value} | {name} | {kinds} | {_prose(meanings[code.name])} | {CURES[code]} |"


def _method(method: _Schema, schemas: _Schema) -> Iterator[str]:
    yield f"\n### {method['name']}\n\n{_prose(method['summary'])}"
    parameters = {parameter["name"]: parameter for parameter in method["params"]}
    takes_job = _JOB in parameters and "caller_id" in parameters
    own = {
        name: parameter["schema"]
        for name, parameter in parameters.items()
        if not (takes_job and name in schemas[_FIELDS]["properties"])
    }
    if own:
        required = frozenset(name for name in own if parameters[name].get("required"))
        yield ""
        yield from _table("parameter", own, required, schemas)
    if takes_job:
        yield f"\nInstead of `{_JOB}` it takes the [fields of a job](#type-{_FIELDS.lower()}) as parameters."
    errors = ", ".join(f"{error['code']} {error['message']}" for error in method["errors"])
    returns = f"Returns {_type(method['result']['schema'], schemas)}." + (f" Errors: {errors}." if errors else "")
    yield "\n" + textwrap.fill(returns, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _table(head: str, fields: _Schema, required: frozenset[str], schemas: _Schema) -> Iterator[str]:
    yield f"| {head} | type | meaning |\n|---|---|---|"
    for name, schema in fields.items():
        texts = [_description(schema)]
        if "default" in schema and schema["default"] is not None and schema["default"] != "":
            texts.append(f"Default: `{_cell(_literal(schema['default']))}`.")
        mark = "" if name in required else "?"
        yield f"| `{name}`{mark} | {_type(schema, schemas)} | {' '.join(text for text in texts if text)} |"


def _description(schema: _Schema) -> str:
    found = [schema, *schema.get("anyOf", ())]
    return next((_prose(one["description"]) for one in found if "description" in one), "")


def _type(schema: _Schema, schemas: _Schema) -> str:
    """Name the type of a value in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        named: _Schema = schemas[name]
        return f"[{name}](#type-{name.lower()})" if "properties" in named else _type(named, schemas)
    if "enum" in schema:
        return " or ".join(f"`{_cell(_literal(value))}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{_cell(_literal(schema['const']))}`"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one, schemas) for one in schema[key]))
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), schemas)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_type(schema['additionalProperties'], schemas)}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _literal(value: object) -> str:
    return json.dumps(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    """A text for a table or paragraph in which brackets and stars are only characters."""
    for character in "<>*[]|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.replace("``", "`").split())
