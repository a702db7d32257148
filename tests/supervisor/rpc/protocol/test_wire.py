"""JSON-RPC messages as bytes: which are read, which are refused, and how answers are written."""

from __future__ import annotations

import orjson
import pytest

from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.wire import ErrorCode, Refused, Request, RpcError


def parse_one(text: str | bytes) -> Request | Refused:
    parsed = wire.parse(text if isinstance(text, bytes) else text.encode(), max_batch=10)
    assert not isinstance(parsed, list)
    return parsed


def refused(text: str | bytes) -> Refused:
    parsed = parse_one(text)
    assert isinstance(parsed, Refused)
    return parsed


@pytest.mark.parametrize(
    "id_text",
    ["1", "0", "-7", "18446744073709551615", "-9223372036854775808", "1.5", '"a"', '""', '"1"', '"é\\n"', "null"],
)
def test_an_id_is_echoed_with_its_type(id_text: str) -> None:
    request = parse_one(f'{{"jsonrpc":"2.0","id":{id_text},"method":"m"}}')

    assert isinstance(request, Request)
    assert not request.notification
    echoed = orjson.loads(wire.encode_result(request.id, None))["id"]
    assert orjson.dumps(echoed) == orjson.dumps(orjson.loads(id_text))


@pytest.mark.parametrize("id_text", ["true", "false", "[]", "{}", "18446744073709551616", "-1e300", "[1]"])
def test_an_invalid_id_is_refused_with_null(id_text: str) -> None:
    answer = refused(f'{{"jsonrpc":"2.0","id":{id_text},"method":"m"}}')

    assert answer.id is None
    assert answer.error.code is ErrorCode.INVALID_REQUEST


def test_only_a_request_without_id_is_a_notification() -> None:
    request = parse_one('{"jsonrpc":"2.0","method":"m"}')

    assert isinstance(request, Request)
    assert request.notification


@pytest.mark.parametrize(
    "text",
    [
        '{"id":7,"method":"m"}',
        '{"jsonrpc":"1.0","id":7,"method":"m"}',
        '{"jsonrpc":2.0,"id":7,"method":"m"}',
        '{"jsonrpc":"2.0","id":7}',
        '{"jsonrpc":"2.0","id":7,"method":null}',
        '{"jsonrpc":"2.0","id":7,"method":1}',
        '{"jsonrpc":"2.0","id":7,"method":"m","params":"bar"}',
        '{"jsonrpc":"2.0","id":7,"method":"m","params":1}',
        '{"jsonrpc":"2.0","id":7,"method":"m","params":false}',
    ],
)
def test_a_malformed_request_is_refused_with_its_id(text: str) -> None:
    answer = refused(text)

    assert answer.id == 7
    assert answer.error.code is ErrorCode.INVALID_REQUEST
    assert answer.error.data["kind"] == "invalid_request"


@pytest.mark.parametrize("params", ["", ',"params":null', ',"params":[]'])
def test_no_parameters_can_be_said_in_several_ways(params: str) -> None:
    request = parse_one(f'{{"jsonrpc":"2.0","id":1,"method":"m"{params}}}')

    assert isinstance(request, Request)
    assert request.params == []


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\x01"}',
        b'{"a":01}',
        b'{"a":1,}',
        b"[" * 5000 + b"]" * 5000,
        b"\x00{}",
        '{"jsonrpc":"2.0"}'.encode("utf-16"),
    ],
)
def test_input_that_is_not_json_is_a_parse_error(text: bytes) -> None:
    answer = refused(text)

    assert answer.id is None
    assert answer.error.code is ErrorCode.PARSE_ERROR


def test_of_duplicate_keys_the_last_counts() -> None:
    request = parse_one('{"jsonrpc":"2.0","id":1,"method":"a","method":"b","params":{"x":1,"x":2}}')

    assert isinstance(request, Request)
    assert (request.method, request.params) == ("b", {"x": 2})


def test_huge_numbers_in_parameters_do_no_harm() -> None:
    request = parse_one(f'{{"jsonrpc":"2.0","id":1,"method":"m","params":[1{"0" * 300},1e-400]}}')

    assert isinstance(request, Request)
    assert request.params == [1e300, 0.0]


def test_a_batch_of_exactly_the_limit_is_taken() -> None:
    assert isinstance(wire.parse(b"[" + b",".join([b'{"jsonrpc":"2.0","method":"m"}'] * 3) + b"]", max_batch=3), list)


@pytest.mark.parametrize(("number", "taken"), [("9007199254740991.0", True), ("9007199254740992.0", False)])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_with_a_point_is_an_id_as_long_as_it_is_exact(sign: str, number: str, taken: bool) -> None:
    request = wire.parse(f'{{"jsonrpc":"2.0","method":"m","id":{sign}{number}}}'.encode(), max_batch=1)

    assert isinstance(request, Request) == taken


def test_each_request_of_a_batch_over_the_limit_is_refused_by_its_id() -> None:
    items = [*(b'{"id":%d}' % n for n in range(9)), b'{"id":"x"}', b'{"id":null}', b'{"id":1e300}', b'{"id":[]}', b"{}"]
    parsed = wire.parse(b"[" + b",".join([*items, b"5"]) + b"]", max_batch=10)

    assert isinstance(parsed, list)
    refusals = [one for one in parsed if isinstance(one, Refused)]
    assert [one.id for one in refusals] == [*range(9), "x", None]
    assert {one.error.code for one in refusals} == {ErrorCode.BATCH_TOO_LARGE}
    assert refusals[0].error.data["max_batch"] == 10


def test_a_batch_over_the_limit_without_any_id_is_refused_as_a_whole() -> None:
    parsed = wire.parse(b"[" + b"{}," * 10 + b"{}]", max_batch=10)

    assert isinstance(parsed, Refused)
    assert (parsed.id, parsed.error.code) == (None, ErrorCode.BATCH_TOO_LARGE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"id":7,"params":[%s]}', 7),
        (b'{"params":[%s], "id" : "a" }', "a"),
        (b'{"params":[%s]}', None),
        (b'[{"id":7},{"id":8,"params":[%s]}]', [7, 8]),
    ],
)
def test_a_message_with_too_many_values_is_refused_by_its_id(text: bytes, expected: object) -> None:
    refused = wire.check_size(text % (b"{}," * wire.MAX_MARKS + b"{}"))

    if isinstance(refused, list):
        assert [one.id for one in refused] == expected
    else:
        assert refused is not None
        assert refused.id == expected


@pytest.mark.parametrize("offset", range(4))
@pytest.mark.parametrize("part", [rb"\\", rb"\"", rb"\\\"", b",", b"[{:", b"a"])
def test_slices_do_not_change_what_counts_as_text(part: bytes, offset: int) -> None:
    text = b'["' + b"x" * offset + part * 60_000 + b'",'
    allowed = b"[]" + b",1" * (wire.MAX_MARKS - 3)

    assert wire.check_size(text + allowed + b"]") is None
    assert wire.check_size(text + allowed + b",1]") is not None


def test_answers_have_no_line_feed_and_no_spare_space() -> None:
    answer = wire.encode_result(1, {"output": "a\nb", "list": [1, 2]})

    assert answer == b'{"jsonrpc":"2.0","id":1,"result":{"output":"a\\nb","list":[1,2]}}'


def test_text_that_is_not_unicode_is_answered_with_replacements() -> None:
    broken = b"caf\xe9".decode(errors="surrogateescape")
    error = RpcError(ErrorCode.JOB_FAILED, broken, kind="runtime", hint="-", message=broken)

    assert orjson.loads(wire.encode_result(1, {"output": [broken]}))["result"] == {"output": ["caf?"]}
    assert orjson.loads(wire.encode_error(1, error))["error"]["data"]["message"] == "caf?"


def test_our_codes_lie_outside_of_the_reserved_range_and_differ() -> None:
    reserved = range(-32768, -31999)
    standard = {-32700, -32600, -32601, -32602, -32603}

    assert {int(code) for code in ErrorCode if code in reserved} == standard
    assert len(set(ErrorCode)) == len(ErrorCode.__members__)
