"""Rust types of JSON schemas, for the emitter of the Rust client. Pure.

Invariant: an answer with a member of an enumeration, or a field, that is newer than the client can still be read: each
enumeration has a variant for other texts, and serde ignores unknown fields.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

COLUMNS: Final = 116
_RUSTFMT_COLUMNS: Final = 121  # with the end of the line
_PLAIN: Final = {"string": "String", "integer": "i64", "number": "f64", "boolean": "bool", "null": "()"}
_VARIANTS: Final = {"String": "Text", "i64": "Integer", "f64": "Number", "bool": "Bool"}
_KEYWORDS: Final = frozenset({"type", "ref", "match", "move", "use", "where", "in", "for", "loop", "mod", "self"})
_DERIVED: Final = "Debug, Clone, PartialEq, Serialize, Deserialize"


def type_of(schema: Schema, unions: dict[str, list[str]]) -> str:
    """Write the type of a JSON schema, as an answer has it.

    Args:
        schema: Of a field, a parameter or a result.
        unions: Gets the unions that the type needs: name -> types of its variants.
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        options = [type_of(option, unions) for option in schema["anyOf"]]
        rest = list(dict.fromkeys(option for option in options if option != "()"))
        found = rest[0] if len(rest) == 1 else _union("Or".join(camel(name) for name in rest), rest, unions)
        return f"Option<{found}>" if "()" in options else found
    if "enum" in schema or "const" in schema:
        return "String"
    kind = schema.get("type")
    if kind == "array":
        return f"Vec<{type_of(schema['items'], unions)}>"
    if kind == "object":
        values = schema.get("additionalProperties", True)
        held = type_of(values, unions) if isinstance(values, dict) and values else "Value"
        return f"BTreeMap<String, {held}>"
    return _PLAIN.get(str(kind), "Value")


def borrowed(owned: str) -> str:
    """Write the type of an argument whose value has a type."""
    if owned.startswith("Option<"):
        return f"Option<{borrowed(owned[7:-1])}>"
    if owned.startswith("Vec<"):
        return f"&[{owned[4:-1]}]"
    if owned == "String":
        return "&str"
    return owned if owned in ("i64", "f64", "bool", "ScriptType", "Overlap", "Missed") else f"&{owned}"


def struct(name: str, schema: Schema, *, given: bool, unions: dict[str, list[str]]) -> Iterator[str]:
    """Write a struct.

    Args:
        name: Its name.
        schema: Has `properties`.
        given: Clients send it: fields that are not required can be left out.
        unions: As for `type_of`.
    """
    properties = schema["properties"]
    required = [field for field in properties if field in schema.get("required", ())]
    yield comment(schema.get("description", ""))
    yield f"#[derive({'Default, ' if given and not required else ''}{_DERIVED})]\npub struct {name} {{\n"
    for field, value in properties.items():
        kind = type_of(value, unions)
        yield comment(value.get("description", ""), "    ")
        if given and field not in required:
            kind = kind if kind.startswith("Option<") else f"Option<{kind}>"
            yield '    #[serde(skip_serializing_if = "Option::is_none")]\n'
        yield f"    pub {identifier(field)}: {kind},\n"
    yield "}\n"
    if given and required:
        yield from _constructor(name, properties, required, unions)


def _constructor(name: str, properties: Schema, required: list[str], unions: dict[str, list[str]]) -> Iterator[str]:
    """Write `new`, which takes the required fields."""
    kinds = {field: type_of(properties[field], unions) for field in required}
    listed = ", ".join(
        f"{field}: {'impl Into<String>' if kinds[field] == 'String' else kinds[field]}" for field in kinds
    )
    yield f"\nimpl {name} {{\n    /// Makes one with the fields that are required.\n"
    made = [field if field in kinds else f"{identifier(field)}: None" for field in properties]
    made = [f"{field}: {field}.into()" if kinds.get(field) == "String" else field for field in made]
    yield _fitted(
        f"    pub fn new({listed}) -> Self {{\n", "    pub fn new(\n", listed.split(", "), "    ) -> Self {\n"
    )
    yield _fitted(f"        Self {{ {', '.join(made)} }}\n", "        Self {\n", made, "        }\n", " " * 12)
    yield "    }\n}\n"


def _fitted(line: str, first: str, parts: list[str], last: str, indent: str = " " * 8) -> str:
    """Write one line as rustfmt does: in parts if it is too long."""
    return line if len(line) <= _RUSTFMT_COLUMNS else first + "".join(f"{indent}{part},\n" for part in parts) + last


def enumeration(name: str, schema: Schema) -> Iterator[str]:
    """Write an enumeration, whose last variant holds a text that this client does not know."""
    yield comment(schema.get("description", ""))
    snake = all(value == value.lower() for value in schema["enum"])
    yield "#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]\n"
    yield '#[serde(rename_all = "snake_case")]\n' if snake else ""
    yield f"pub enum {name} {{\n"
    for value in schema["enum"]:
        yield "" if snake or value == camel(value) else f'    #[serde(rename = "{value}")]\n'
        yield f"    {camel(value)},\n"
    yield "    /// A newer service said so.\n    #[serde(untagged)]\n    Other(String),\n}\n"


def union(name: str, options: list[str]) -> Iterator[str]:
    """Write a type that is one of several; the first that fits is taken."""
    yield f"/// One of {len(options)} types.\n#[derive({_DERIVED})]\n#[serde(untagged)]\npub enum {name} {{\n"
    yield "".join(f"    {_VARIANTS.get(option, option)}({option}),\n" for option in options)
    yield "}\n"


def _union(name: str, options: list[str], unions: dict[str, list[str]]) -> str:
    unions[name] = options
    return name


def camel(name: str) -> str:
    """Write a name as Rust writes types: `run_job` and `OSIS` become `RunJob` and `Osis`."""
    if name.isupper():
        return name.capitalize()
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def identifier(name: str) -> str:
    """Write a name as a field or argument."""
    return f"r#{name}" if name in _KEYWORDS else name


def comment(text: str, indent: str = "") -> str:
    """Write documentation; "" if there is none."""
    words = " ".join(text.split()).replace("``", "`")
    lines = textwrap.wrap(words, COLUMNS - 4 - len(indent), break_on_hyphens=False)
    return "".join(f"{indent}/// {line}\n" for line in lines)
