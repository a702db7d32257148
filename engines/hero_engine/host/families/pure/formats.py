"""The family `formats`: YAML, TOML and CSV, and back.

Invariant: an alias of YAML counts as what it stands for, and no tag makes anything but plain values.
"""

from __future__ import annotations

import re
from typing import Any

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.families.pure.bounds import (
    MAX_DEPTH,
    MAX_VALUES,
    bounded,
    cell,
    check_size,
    check_value,
    in_range,
    read_float,
    read_int,
    too_deep,
)

FAMILY = Family("formats", "YAML, TOML and CSV.", prefix="Encode error: ")

#: Longest text of YAML and TOML, whose parsers are slow, in characters.
_MAX_SLOW_CHARS = 512 << 10
#: Most parts of a key in TOML: the parser's time grows with their square.
_MAX_KEY_DOTS = 100

_YAML_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
#: A plain text that the parser takes for a text only if it has the tag `!!str`.
_YAML_RESOLVED = re.compile(r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?[0-9]+")
_YAML_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@FAMILY.function()
def yaml_encode(value: object) -> str:
    """Write a value as YAML, with sorted keys.

    Example:
        yaml_encode(#{name: "web", ports: [80, 443]})
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    check_value(value)
    return bounded(yaml.dump(value, Dumper=Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False))


@FAMILY.function()
def yaml_decode(call: Call, text: str) -> object:
    r"""Read YAML: one document, of maps, arrays, texts, numbers, `true`, `false` and `null`, as YAML 1.2 defines them,
    so `no` and `12:30` are texts. Keys become texts. Tags are refused, and `<<` is a key like any other.

    Example:
        yaml_decode("name: web\nports: [80, 443]").ports[1]     // 443
    """
    import yaml

    check_size(text, _MAX_SLOW_CHARS)
    try:
        depth = 0
        # Before the tree is built, which the parser does by recursion.
        for n, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise too_deep()
            if n % 1000 == 0:
                call.check()
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        where = f" at line {e.problem_mark.line + 1}, column {e.problem_mark.column + 1}" if e.problem_mark else ""
        raise FunctionError(f"no YAML: {e.problem or e.context}{where}") from None
    except (yaml.YAMLError, ValueError) as e:
        raise FunctionError(f"no YAML: {e!s:.200}") from None
    return None if node is None else _YamlReader(call).read(node, 0)


@FAMILY.function()
def toml_encode(value: dict[str, object]) -> str:
    """Write a map as TOML. `()` has no form in TOML and is refused.

    Example:
        toml_encode(#{title: "x", server: #{port: 80}})
    """
    check_value(value)
    lines: list[str] = []
    _write_table(value, "", lines)
    return bounded("\n".join(lines).strip("\n") + "\n" if lines else "")


@FAMILY.function()
def toml_decode(text: str) -> dict[str, object]:
    r"""Read TOML. Dates and times become texts in ISO 8601.

    Example:
        toml_decode("[server]\nport = 80").server.port           // 80
    """
    import tomllib

    check_size(text, _MAX_SLOW_CHARS)
    if any(part.count(".") > _MAX_KEY_DOTS for part in re.split(r"[\n,={}\"']", text)):
        raise FunctionError(f"a key has more than {_MAX_KEY_DOTS} parts")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise FunctionError(f"no TOML: {e}") from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise FunctionError("no TOML: a number is too long") from None
    value = _without_times(found, 0)
    check_value(value)
    return dict(value)


@FAMILY.function()
def csv_encode(rows: list[object], delimiter: str = ",") -> str:
    r"""Write rows as CSV: arrays as they are; maps below a line with all their keys, sorted.

    Example:
        csv_encode([#{name: "a", n: 1}, #{name: "b"}])           // "n,name\n1,a\n,b\n"
    """
    import csv
    import io

    check_value(rows)
    if rows and all(isinstance(row, dict) for row in rows):
        names = sorted({str(name) for row in rows if isinstance(row, dict) for name in row})
        lines = [names, *([cell(row.get(name)) for name in names] for row in rows if isinstance(row, dict))]
    elif all(isinstance(row, list) for row in rows):
        lines = [[cell(item) for item in row] for row in rows if isinstance(row, list)]
    else:
        raise FunctionError("rows are arrays, or they are maps")
    # The writer does not see that a carriage return ends a line for readers.
    returns = any("\r" in item for line in lines for item in line)
    out = io.StringIO()
    csv.writer(
        out,
        delimiter=_delimiter(delimiter),
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL,
    ).writerows(lines)
    return bounded(out.getvalue())


@FAMILY.function()
def csv_decode(text: str, delimiter: str = ",") -> list[list[str]]:
    r"""Read CSV: an array of rows, each an array of texts.

    Example:
        csv_decode("a,b\n1,2")[1][0]                             // "1"
    """
    import csv
    import io

    check_size(text)
    rows: list[list[str]] = []
    values = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(delimiter), strict=True)
    try:
        for row in reader:
            values += len(row) + 1
            if values > MAX_VALUES:
                raise FunctionError(f"the text has more than {MAX_VALUES} values")
            rows.append(row)
    except csv.Error as e:
        raise FunctionError(f"no CSV: {e} at line {reader.line_num}") from None
    return rows


@FAMILY.function()
def csv_decode_maps(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    r"""Read CSV whose first line has the names of the columns: an array of maps. A row with another number of cells is
    refused.

    Example:
        csv_decode_maps("name,n\nweb,2")[0].name                 // "web"
    """
    names, *rows = csv_decode(text, delimiter) or [[]]
    if len(set(names)) != len(names):
        raise FunctionError("two columns have the same name")
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(names):
            raise FunctionError(f"row {number} has {len(row)} cells, and there are {len(names)} names")
    return [dict(zip(names, row, strict=True)) for row in rows if row]


class _YamlReader:
    """Makes values of the nodes of a document. An alias is read again each time, so its size and depth count."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._values = 0

    def read(self, node: Any, depth: int) -> object:
        import yaml

        self._values += 1
        if self._values > MAX_VALUES:
            raise FunctionError(f"the text has more than {MAX_VALUES} values, with those that aliases stand for")
        if depth > MAX_DEPTH:
            raise too_deep()
        if self._values % 1000 == 0:
            self._call.check()
        if isinstance(node, yaml.SequenceNode):
            _check_tag(node, "seq")
            return [self.read(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            _check_tag(node, "map")
            return {self._key(key): self.read(item, depth + 1) for key, item in node.value}
        return self._scalar(node)

    def _key(self, node: Any) -> str:
        if not isinstance(node.value, str):
            raise FunctionError("a key is an array or a map")
        return node.value

    def _scalar(self, node: Any) -> object:
        text: str = node.value
        # The parser's tags of plain texts are those of YAML 1.1. This reader decides itself what a plain text is.
        _check_tag(node, "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
        is_quoted = node.style is not None
        is_tagged = node.tag.endswith(":str") and _YAML_RESOLVED.fullmatch(text)
        if is_quoted or is_tagged:
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        if _YAML_INT.fullmatch(text):
            return read_int(text) if text[1:2] not in ("o", "x") else in_range(int(text, 0))
        if _YAML_FLOAT.fullmatch(text):
            return read_float(text)
        return text


def _check_tag(node: Any, *allowed: str) -> None:
    if node.tag.removeprefix("tag:yaml.org,2002:") not in allowed:
        raise FunctionError(f"no YAML: the tag {node.tag[:80]} is not supported")


def _write_table(table: dict[str, Any], path: str, lines: list[str]) -> None:
    """Write the values of a table, and then its tables, which need a line of their own."""
    tables = {name: item for name, item in table.items() if _is_table(item)}
    if path and (len(tables) < len(table) or not table):
        lines.append(f"\n[{path}]")
    lines += (f"{_toml_key(name)} = {_toml(item)}" for name, item in sorted(table.items()) if name not in tables)
    for name, item in sorted(tables.items()):
        below = f"{path}.{_toml_key(name)}" if path else _toml_key(name)
        if isinstance(item, dict):
            _write_table(item, below, lines)
        else:
            for one in item:
                lines.append(f"\n[[{below}]]")
                lines += (f"{_toml_key(key)} = {_toml(part)}" for key, part in sorted(one.items()))


def _is_table(item: object) -> bool:
    return isinstance(item, dict) or (
        isinstance(item, list) and bool(item) and all(isinstance(one, dict) for one in item)
    )


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    import json

    if value is None:
        raise FunctionError("() has no form in TOML")
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(name)} = {_toml(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, float):
        return repr(value)
    # A text of JSON is one of TOML, once DEL is escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _without_times(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise too_deep()
    if isinstance(value, dict):
        return {name: _without_times(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_times(item, depth + 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return in_range(value)
    return value if isinstance(value, str | float | bool) else value.isoformat()


def _delimiter(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise FunctionError("the delimiter is one character")
    return text
