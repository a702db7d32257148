"""The schema language: what it means, and where it is wrong."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_engine.languages.oschema.errors import SchemaError
from hero_engine.languages.oschema.files import read_schema_folder
from hero_engine.languages.oschema.resolve import read_schema
from hero_engine.languages.oschema.schema import OSchema, RecordType, snake
from tests.engine.languages.oschema.schemas import COMMENTS, FIELDS, written

#: The facts of the examples that come with the crate herolib-osis, in our own words.
EVERYTHING = """
# Free text for people = { that is no schema
# ===SCHEMA===

Role = "admin" | "user" | "guest"
Weight: u8 = 1 | 2 | 5

# Somebody. [rootobject]
Person = {
    sid: str                 # the SID
    name: str @index         # shown name
    nick?: str               # other name [index]
    role: Role
    weight: Weight
    level: u8 = 3, active: bool = true
    joined: otime
    phones: [Phone]
    meta: {str:any}
    place: { street: str, city: str }
    pair: (str, n: i64)
}
Phone = { number: str  kind?: "home" | "work" }

service People {
    version: "1.0.0"
    description: "what the Rust system calls"
    # a method
    find(name: str, most?: u32) -> [Person]
        error: NotThere | Refused
    count() -> u64
}
"""


def one_file(text: str) -> OSchema:
    return read_schema({"a.oschema": text})


def test_a_schema_has_types_enumerations_and_stored_objects() -> None:
    schema = one_file(EVERYTHING)

    assert list(schema.definitions) == ["Role", "Weight", "Person", "Phone"]
    assert list(schema.roots) == ["person"]
    assert schema.enumerations == {"role": ("admin", "user", "guest")}
    kind = schema.roots["person"].type
    assert isinstance(kind, RecordType)
    assert [one.name for one in kind.fields if one.indexed] == ["name", "nick"]
    assert [one.name for one in kind.fields if one.optional] == ["nick"]
    assert {one.name: one.default for one in kind.fields if one.default is not None} == {"level": 3, "active": True}
    assert {one.name: one.comment for one in kind.fields}["nick"] == "other name"


def test_a_service_is_read_and_has_no_effect() -> None:
    (warning,) = one_file(EVERYTHING).warnings

    assert str(warning) == "a.oschema:24: service People has no effect here; write its methods as scripts"


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("A = {", "1:6", "expected the name of a field, or '}', not the end of the file"),
        ("A = { x: }", "1:10", "expected a type, not '}'"),
        ("A = {\n  x: strr\n}", "2:6", "the type 'strr' is not defined; did you mean 'str'?"),
        ("A = { x: str }\nA = { y: str }", "2:1", "'A' is defined already, in a.oschema:1"),
        ("BlogPost = str\nblog_post = str", "2:1", "'BlogPost' is defined already, in a.oschema:1"),
        ("A = { a: A }", "1:1", "'A' contains itself; make one of the fields between optional, or a list"),
        ("A = { b: B }\nB = { a: (A, str) }", "1:1", "'A' contains itself"),
        ("A = B\nB = A", "1:1", "'A' stands for itself"),
        ("A = { x: str, x: str }", "1:15", "the field 'x' is there twice"),
        ("A = { x: u8 = 300 }", "1:7", "the default of 'x' does not fit its type"),
        ('A = { x: "a" | "b" = "c" }', "1:7", "the default of 'x' does not fit its type"),
        ("A: u8 = 1 | 256", "1:1", "a value of 'A' is not u8"),
        ("A: u8 = str", "1:1", "'A: u8 =' must be followed by values, such as 1 | 2 | 3"),
        ("A: text = 1", "1:4", "'text' is no type of the language"),
        ("str = u8", "1:1", "'str' is a type of the language; choose another name"),
        ("A = { _x: str }", "1:7", "names of fields do not begin with '_'; those belong to the runtime"),
        ("A = { x: str @unique }", "1:15", "'@unique' is unknown; only @index is known"),
        ("A = { sid: u8 }", "1:7", "'sid' must be str"),
        ('A = "x\n"', "1:5", "the text has no closing quote on its line"),
        (r'A = "\x"', "1:5", r"'\x' is no escape; write \n, \t, \r, \\ or \""),
        ("A = é", "1:5", "unexpected 'é'"),
        ("service S { f(x) }", "1:16", "expected ':', not ')'"),
        ("A = " + "[" * 60, "1:37", "types are nested more than 32 levels deep"),
        ("# ===SCHEMA===\n\nA = ?", "3:5", "expected a type, not '?'"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_and_column(text: str, place: str, reason: str) -> None:
    with pytest.raises(SchemaError) as caught:
        one_file(text)

    assert str(caught.value).startswith(f"a.oschema:{place}: {reason}")


@settings(max_examples=40)
@given(FIELDS, COMMENTS)
def test_what_is_written_is_read(fields: dict[str, tuple[bool, str, str]], comment: str) -> None:
    kind = one_file(written(fields, comment)).roots["thing"].type

    assert isinstance(kind, RecordType)
    read = {one.name: (one.optional, one.indexed) for one in kind.fields if one.name != "sid"}
    assert read == {name: (optional, bool(index)) for name, (optional, _, index) in fields.items()}


@settings(max_examples=60)
@given(st.integers(), FIELDS)
def test_a_damaged_schema_is_read_or_has_an_error_with_its_place(seed: int, fields: Any) -> None:
    chance = random.Random(seed)
    text = list(written(fields) + EVERYTHING)
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(text))
        text[place : place + chance.randrange(3)] = chance.choice(
            ['"', "{", "}", "[", "]", "|", "?", "@", "x", "\n", "é"]
        )
    damaged = "".join(text)
    try:
        one_file(damaged)
    except SchemaError as e:
        lines = damaged.split("\n")
        assert 1 <= e.line <= len(lines)
        assert 1 <= e.column <= len(lines[e.line - 1]) + 1


@given(st.text(alphabet='Aa1 ={}[]()|:?,@#"\\\n-.', max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        one_file(text)
    except SchemaError as e:
        assert e.reason


def test_a_type_nested_in_every_way_takes_no_time() -> None:
    # A reader that goes back and reads again would need 2^30 steps.
    one_file("A = " + "{ str: " * 30 + "str" + " b: str }" * 30)


def test_a_folder_is_read_with_its_subfolders_and_names_may_come_from_any_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.oschema").write_text('include "b.oschema"\nA = { sid: str, b: B }')
    (tmp_path / "deep/b.oschema").write_text("B = { c: str }")

    assert list(read_schema_folder(str(tmp_path)).roots) == ["a"]


@pytest.mark.parametrize("damage", ["missing", "empty", "bytes", "file"])
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "schemas"
    if damage != "missing":
        folder.mkdir()
    if damage == "bytes":
        (folder / "a.oschema").write_bytes(b"A = \xff")
    if damage == "file":
        folder = folder / "a.oschema"
        folder.write_text("A = str")

    with pytest.raises(SchemaError, match=str(folder)):
        read_schema_folder(str(folder))


def test_the_built_in_types_are_there_without_a_folder() -> None:
    assert list(read_schema_folder("").roots) == ["note", "event", "user", "calendar", "contact", "task"]


@pytest.mark.parametrize(
    ("name", "spelled"), [("BlogPost", "blog_post"), ("URL", "url"), ("HTTPPage", "http_page"), ("a2B", "a2_b")]
)
def test_names_of_types_become_names_of_functions(name: str, spelled: str) -> None:
    assert snake(name) == spelled
