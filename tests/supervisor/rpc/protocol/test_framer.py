"""The framer: the same frames however the stream is split, in linear time, and what follows broken input."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hero_supervisor.rpc.protocol.framer import MAX_DEPTH, Frame, Framer, Oversized, Unframed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
json_containers = st.lists(json_values) | st.dictionaries(st.text(), json_values)
gaps = st.text(" \t\r\n", max_size=3)


@st.composite
def streams_of_messages(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    messages, stream = [], draw(gaps).encode()
    for value in draw(st.lists(json_containers, max_size=5)):
        indent: Any = draw(st.sampled_from([None, 2, "\t"]))
        text = json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans())).encode(errors="replace")
        messages.append(text)
        stream += text + draw(gaps).encode()
    return stream, messages


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def frames_of(parts: list[bytes], max_bytes: int = 1 << 20) -> list[Frame]:
    framer = Framer(max_bytes)
    return [frame for part in parts for frame in framer.feed(part)]


@given(streams_of_messages(), st.lists(st.integers(min_value=0), max_size=8))
def test_messages_come_out_whole_however_they_are_split(stream: tuple[bytes, list[bytes]], points: list[int]) -> None:
    data, messages = stream

    assert frames_of(cut(data, points)) == messages


@given(streams_of_messages())
def test_messages_come_out_whole_one_byte_at_a_time(stream: tuple[bytes, list[bytes]]) -> None:
    data, messages = stream

    assert frames_of([bytes([byte]) for byte in data]) == messages


@given(
    st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b" ", b"a", b'{"a":[1]}']), max_size=60),
    st.lists(st.integers(min_value=0), max_size=8),
    st.sampled_from([4, 12, 1000]),
)
@example([b"{", b"{", b'"', b'"', b'{"a":[1]}', b"]"], [5], 12)
def test_broken_input_gives_the_same_frames_however_it_is_split(
    tokens: list[bytes], points: list[int], max_bytes: int
) -> None:
    data = b"".join(tokens)
    whole = frames_of([data], max_bytes)

    assert frames_of(cut(data, points), max_bytes) == whole
    assert frames_of([bytes([byte]) for byte in data], max_bytes) == whole


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=5))
def test_random_bytes_give_the_same_frames_however_they_are_split(data: bytes, points: list[int]) -> None:
    assert frames_of(cut(data, points)) == frames_of([data])


HOSTILE = {
    "openers": b"[",
    "pairs": b"[]",
    "deep pairs": b"{[[]]}",
    "quotes": b'"',
    "escapes": b'{"\\\\\\"',
    "unfinished strings": b'{"',
    "inside one array": b"[1,[2,[3,[4,[5,[6,",
    "garbage lines": b"x\n",
}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096])
@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_bytes_visited_grow_linearly_with_the_input(unit: bytes, chunk_bytes: int) -> None:
    def visited(size: int) -> int:
        data = (unit * size)[:size]
        framer = Framer(1 << 30)
        for at in range(0, size, chunk_bytes):
            framer.feed(data[at : at + chunk_bytes])
        return framer.visited_bytes

    once, four_times = visited(20_000), visited(80_000)

    assert once <= 5 * 20_000
    assert four_times <= 4.2 * once + 100


def test_a_long_message_in_many_pieces_is_visited_a_bounded_number_of_times() -> None:
    message = json.dumps({"script": 'let x = "\\";\n' * 20_000, "list": [[[[[1] * 50] * 10] * 10]] * 10}).encode()
    framer = Framer(1 << 30)

    frames = [frame for at in range(0, len(message), 1000) for frame in framer.feed(message[at : at + 1000])]

    assert frames == [message]
    assert framer.visited_bytes <= 3 * len(message)


def test_brackets_and_quotes_inside_strings_do_not_count() -> None:
    message = rb'{"script":"if x { \"}]\\\" } \\","n":[1]}'

    assert frames_of([message + b"{}"]) == [message, b"{}"]


@pytest.mark.parametrize(
    "garbage", [b"hello\n", b"hello", b"]", b"}}}\n", b'"text"', b"1 2 3 ", b"\xff\xfe\n", b"GET / HTTP/1.1\r\n"]
)
def test_garbage_between_messages_is_reported_once_and_the_next_message_is_taken(garbage: bytes) -> None:
    first, garbled, second = frames_of([b'{"a":1}' + garbage + b'{"b":2}'])

    assert (first, second) == (b'{"a":1}', b'{"b":2}')
    assert isinstance(garbled, Unframed)
    assert not garbled.fatal


@pytest.mark.parametrize(
    "broken",
    [
        b'{"a": ]',
        b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        b'[{"jsonrpc": "2.0", "method" ]',
        b'{"open',
        b"[" * (MAX_DEPTH + 1),
    ],
)
def test_a_broken_line_is_reported_immediately_and_the_next_line_is_taken(broken: bytes) -> None:
    framer = Framer()

    (lost,) = framer.feed(broken + b"\n")[:1]
    following = framer.feed(b'{"b":2}\n')

    assert isinstance(lost, Unframed)
    assert not lost.fatal
    assert following == [b'{"b":2}']


def test_a_message_of_the_greatest_depth_is_taken() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert frames_of([deepest + b"\n"]) == [deepest]


@pytest.mark.parametrize("chunk_bytes", [1, 5, 4096])
def test_an_oversized_message_that_is_broken_ends_the_stream(chunk_bytes: int) -> None:
    data = b'{"a": "long enough to be too long" ]\n{"method": "delete_job"}\n'
    framer = Framer(20)

    frames = [frame for at in range(0, len(data), chunk_bytes) for frame in framer.feed(data[at : at + chunk_bytes])]

    oversized, lost = frames
    assert isinstance(oversized, Oversized)
    assert isinstance(lost, Unframed)
    assert lost.fatal


def test_a_broken_message_of_several_lines_ends_the_stream_so_that_no_part_of_it_is_taken_for_a_request() -> None:
    (lost,) = frames_of([b'[\n{"a": ]},\n{"method":"delete_job"}\n]\n', b'{"b":2}\n'])

    assert isinstance(lost, Unframed)
    assert lost.fatal


def test_a_line_end_is_awaited_after_a_broken_line() -> None:
    framer = Framer()

    framer.feed(b'{"a": ]')
    awaited = framer.awaits_line_end
    framer.feed(b"rest\n")

    assert awaited
    assert not framer.awaits_line_end


@pytest.mark.parametrize("chunk_bytes", [1, 16, 10_000])
def test_an_oversized_message_is_reported_once_dropped_and_the_next_one_is_taken(chunk_bytes: int) -> None:
    framer = Framer(100)
    data = b'{"s":"' + b"x" * 5000 + b'"}{"b":2}'

    frames = [frame for at in range(0, len(data), chunk_bytes) for frame in framer.feed(data[at : at + chunk_bytes])]

    assert frames == [Oversized(max_bytes=100), b'{"b":2}']


def test_an_oversized_message_is_reported_before_its_end_has_come_and_is_not_kept() -> None:
    framer = Framer(100)

    frames = [
        frame for _ in range(1000) for frame in framer.feed(b'{"s":[' if not framer.within_message else b"1," * 50)
    ]

    assert frames == [Oversized(max_bytes=100)]
    assert len(framer._buffer) <= 100


@pytest.mark.parametrize(
    ("beginning", "ids", "is_batch"),
    [(b'{"id":7,"method":"run_job","params":["', (7,), False), (b'[{"method":"run_job","params":["', (), True)],
    ids=["its id is known", "it is a batch"],
)
def test_what_is_known_of_an_oversized_message_is_not_held_back_until_its_end(
    beginning: bytes, ids: tuple[int, ...], is_batch: bool
) -> None:
    framer = Framer(100)

    assert framer.feed(beginning + b"x" * 100) == [Oversized(max_bytes=100, ids=ids, is_batch=is_batch)]
    assert framer.feed(b"x" * 1000) == []


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    assert frames_of([b'{"a":1}'], max_bytes=7) == [b'{"a":1}']
    assert frames_of([b'{"a":10}'], max_bytes=7) == [Oversized(max_bytes=7)]


def test_a_balanced_message_that_is_not_json_is_framed_for_the_parser_to_refuse() -> None:
    assert frames_of([b"{'single': quotes} {,}"]) == [b"{'single': quotes}", b"{,}"]


MEMBERS = {
    "jsonrpc": '"2.0"',
    "method": '"run_job"',
    "params": '[{"id": 99, "script": "' + "x" * 120 + ' \\", \\"id\\": 98, \\"y\\": \\"}{"}]',
}


@given(
    st.permutations(["id", *MEMBERS]),
    st.sampled_from(["7", '"a b"', "null", "-1.5"]),
    st.sampled_from(["", " ", "\n "]),
    st.lists(st.integers(min_value=0), max_size=8),
)
def test_the_id_of_an_oversized_request_is_found_wherever_it_stands(
    order: list[str], request_id: str, blank: str, points: list[int]
) -> None:
    members = {**MEMBERS, "id": request_id}
    text = "{" + ",".join(f'{blank}"{name}"{blank}:{blank}{members[name]}' for name in order) + blank + "}"
    data = text.encode() + b'{"b":2}'
    # The rest of the message is longer than the limit and shorter than twice that.
    frames = frames_of(cut(data, points), max_bytes=len(text) * 2 // 3)

    assert frames == frames_of([data], max_bytes=len(text) * 2 // 3)
    assert frames == [Oversized(max_bytes=len(text) * 2 // 3, ids=(json.loads(request_id),)), b'{"b":2}']


def test_the_ids_of_an_oversized_batch_are_found_as_far_as_its_beginning_goes() -> None:
    data = b"[" + b",".join(b'{"jsonrpc":"2.0","id":%d,"method":"m","params":[{"id":5}]}' % n for n in range(9)) + b"]"

    (frame,) = frames_of([data], max_bytes=200)

    assert frame == Oversized(max_bytes=200, is_batch=True, ids=(0, 1, 2, 3))


@given(st.lists(st.integers(min_value=0), max_size=4))
def test_a_byte_order_mark_before_a_message_is_no_garbage(points: list[int]) -> None:
    data = b'\xef\xbb\xbf{"a":1}\n\xef\xbb\xbf[2]'

    assert frames_of(cut(data, points)) == [b'{"a":1}', b"[2]"]
