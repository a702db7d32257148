"""Where a script is: the memory that a child shares with its engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hero_engine.children.place import clear_place, make_place, read_place, write_place

SIZE = 1024


@pytest.fixture
def place() -> Iterator[int]:
    fd = make_place()
    yield fd
    os.close(fd)


def test_the_place_that_was_written_last_is_read(place: int) -> None:
    assert read_place(place) == ("", 0)

    write_place(place, "core.a_long_name", 12345)
    write_place(place, "core.x", 7)

    assert read_place(place) == ("core.x", 7)


def test_a_cleared_place_is_nowhere(place: int) -> None:
    write_place(place, "core.x", 7)

    clear_place(place)

    assert read_place(place) == ("", 0)


@pytest.mark.parametrize("character", ["a", "\u20ac", "\x01", "\U0001f600"])
def test_a_name_of_any_length_is_cut_to_what_fits(place: int, character: str) -> None:
    write_place(place, character * 10_000, 2_000_000_000)

    action, line = read_place(place)

    assert action and set(action) == {character}
    assert line == 2_000_000_000


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"1", b'["a"]', b'["a",1,2]', b'["a","b"]', b"[1,2]", b'["a",true]', b"\xff\xfe"]
)
def test_what_a_script_writes_instead_is_no_place(place: int, text: bytes) -> None:
    for length in (len(text), 0, SIZE, 0xFFFF):
        os.pwrite(place, length.to_bytes(2) + text, 0)

        assert read_place(place) == ("", 0)


def test_a_child_cannot_make_the_memory_larger_or_smaller(place: int) -> None:
    for size in (0, SIZE - 1, SIZE + 1, 1 << 40):
        with pytest.raises(PermissionError):
            os.ftruncate(place, size)
    with pytest.raises(PermissionError):
        os.pwrite(place, b"x", SIZE)
    assert os.fstat(place).st_size == SIZE


def test_programs_do_not_inherit_it(place: int) -> None:
    assert not os.get_inheritable(place)
