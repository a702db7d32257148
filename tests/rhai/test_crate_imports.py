"""The source files of the crate import each other without circles, and its rooms only downwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rhai.crate_imports import circles, import_graph, room_graph

SOURCES = Path(__file__).resolve().parents[2] / "engines" / "rhai-py" / "src"

# A Python callable becomes a value of a script, and calling that value converts arguments and result.
VALUES_THAT_CALL_EACH_OTHER = {"values::callable", "values::from_py"}

# From the top down; each room may import from those after it.
ROOMS = ["lib", "evaluation", "scripts", "errors", "builtins", "values", "bounds"]

MOST_FILES_PER_ROOM = 12
MOST_LINES_PER_FILE = 400


def write_crate(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_files_of_the_crate_import_each_other_without_circles() -> None:
    assert circles(import_graph(SOURCES)) == [VALUES_THAT_CALL_EACH_OTHER]


def test_the_rooms_of_the_crate_import_only_downwards() -> None:
    rooms = room_graph(import_graph(SOURCES))

    assert set(rooms) == set(ROOMS)
    upwards = {room: imported - set(ROOMS[ROOMS.index(room) :]) for room, imported in rooms.items()}
    assert upwards == {room: set() for room in ROOMS}


def test_the_rooms_and_files_of_the_crate_are_small() -> None:
    files = list(SOURCES.rglob("*.rs"))
    per_room = {room: len([file for file in room.glob("*.rs") if file.stem != "mod"]) for room in SOURCES.iterdir()}

    assert {room.name: count for room, count in per_room.items() if count > MOST_FILES_PER_ROOM} == {}
    lines = {file.name: len(file.read_text().splitlines()) for file in files}
    assert {name: count for name, count in lines.items() if count > MOST_LINES_PER_FILE} == {}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("use crate::room::b::B;", "use crate::room::a::A;"),
        ("use crate::{room::{b as other, c::C}};", "fn f() { crate::room::a::g() }"),
        ("use crate::room::{self, c, b};", "\n    use crate::room::a::{A, A2};"),
    ],
)
def test_a_circle_of_imports_is_found(tmp_path: Path, a: str, b: str) -> None:
    declarations = "pub mod a;\npub mod b;\npub mod c;\n"
    sources = write_crate(
        tmp_path,
        {"lib.rs": "mod room;", "room/mod.rs": declarations, "room/a.rs": a, "room/b.rs": b, "room/c.rs": ""},
    )

    assert circles(import_graph(sources)) != []


def test_an_import_in_a_comment_is_no_import(tmp_path: Path) -> None:
    sources = write_crate(
        tmp_path, {"lib.rs": "mod a;\nmod b;", "a.rs": "use crate::b::B; // crate::b", "b.rs": "// use crate::a::A;"}
    )

    assert import_graph(sources) == {"lib": {"a", "b"}, "a": {"b"}, "b": set()}
    assert circles(import_graph(sources)) == []


def test_a_path_that_starts_with_super_is_refused(tmp_path: Path) -> None:
    sources = write_crate(tmp_path, {"lib.rs": "mod a;", "a.rs": "use super::b::B;"})

    with pytest.raises(ValueError, match="write `crate::`"):
        import_graph(sources)
