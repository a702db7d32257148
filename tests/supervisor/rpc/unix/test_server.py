"""The server of the Unix socket: framing on the wire, concurrent requests, and its start and end."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.protocol import flow_control
from hero_supervisor.rpc.protocol.wire import ErrorCode
from hero_supervisor.rpc.unix import connection as unix_connection
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.protocol.test_dispatch import SPECIFICATION
from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.supervisor.rpc.running_server import MAX_MESSAGE_BYTES, RunningServer
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]
VERSION = request("version")


def code_of(answer: Any) -> int:
    return int(answer["error"]["code"])


# Framing.


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b" \t"])
def test_a_request_is_answered_with_and_without_a_line_feed(client: RawClient, end: bytes) -> None:
    client.send(VERSION + end)

    assert client.read()["id"] == 1


def test_an_answer_is_compact_and_ends_in_exactly_one_line_feed(client: RawClient) -> None:
    client.send(request("create_job", job(id="j1", script="let x = 1;\nx")))
    created = client.read_line()
    client.send(request("get_job", ["j1"]))
    got = client.read_line()

    assert created == b'{"jsonrpc":"2.0","id":1,"result":"j1"}\n'
    assert got.count(b"\n") == 1
    assert b": " not in got
    assert orjson.loads(got)["result"]["script"] == "let x = 1;\nx"


def test_an_answer_comes_in_one_write(client: RawClient) -> None:
    client.send(VERSION)

    first = client.socket.recv(1 << 20)

    assert first.endswith(b"}\n")


def test_half_a_message_waits_for_its_other_half(client: RawClient) -> None:
    half = len(VERSION) // 2
    client.send(VERSION[:half])
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    client.socket.settimeout(GENEROUS_S)

    client.send(VERSION[half:])

    assert client.read()["id"] == 1


def test_a_request_may_come_byte_by_byte(client: RawClient) -> None:
    for byte in VERSION:
        client.send(bytes([byte]))

    assert client.read()["id"] == 1


def test_glued_messages_are_all_answered(client: RawClient) -> None:
    client.send(request("version", request_id="a") + request("health", request_id="b") + b"\n" + request("nothing"))

    answers = {answer["id"]: answer for answer in (client.read(), client.read(), client.read())}

    assert set(answers) == {"a", "b", 1}
    assert code_of(answers[1]) == ErrorCode.METHOD_NOT_FOUND


def test_a_pretty_printed_request_is_one_request(client: RawClient) -> None:
    client.send(orjson.dumps(orjson.loads(request("create_job", job(id="j1"))), option=orjson.OPT_INDENT_2))

    assert client.read()["result"] == "j1"


@pytest.mark.parametrize(("text", "expected"), SPECIFICATION.values(), ids=SPECIFICATION.keys())
def test_the_examples_of_the_specification_get_one_answer_or_none_and_the_connection_lives(
    client: RawClient, text: str, expected: Any
) -> None:
    client.send(text + "\n")
    answer = None if expected is None else client.read()
    client.send(VERSION)

    assert client.read()["result"]
    # The methods of the examples do not exist here, but malformed requests are malformed everywhere.
    if isinstance(expected, dict) and expected.get("error") in {-32700, -32600}:
        assert answer is not None
        assert (code_of(answer), answer["id"]) == (expected["error"], None)


@pytest.mark.parametrize(
    "broken",
    [
        b"hello\n",
        b"}\n",
        b"{'jsonrpc': '2.0'}",
        b'{"a": 1,}',
        b'{"a": ]\n',
        b'{"jsonrpc":"2.0","id":1,"method":"version\n',
        b'{"a":"\xff"}',
        b'{"a":"\x01"}',
        b'{"a":1e999}',
        b"[" * 100_000 + b"\n",
        b"\x00\x01\x02\n",
    ],
)
def test_malformed_input_is_a_parse_error_and_the_connection_lives(client: RawClient, broken: bytes) -> None:
    client.send(broken)
    answer = client.read()
    client.send(VERSION)

    assert (answer["id"], code_of(answer)) == (None, ErrorCode.PARSE_ERROR)
    assert answer["error"]["data"]["hint"]
    assert client.read()["result"]


def test_after_a_broken_message_of_several_lines_the_connection_is_closed(client: RawClient) -> None:
    client.send(b'[\n{"a": ]},\n' + request("create_job", job(id="smuggled")) + b"\n]\n")

    assert code_of(client.read()) == ErrorCode.PARSE_ERROR
    assert client.read_line() == b""


def test_a_client_that_sends_no_line_feeds_is_not_left_waiting_after_a_broken_message(client: RawClient) -> None:
    client.send(b'{"a": ]' + VERSION)

    assert code_of(client.read()) == ErrorCode.PARSE_ERROR
    assert client.read_line() == b""


def test_a_client_that_speaks_no_json_is_cut_off(client: RawClient) -> None:
    client.send(b"nonsense\n" * (unix_connection.MAX_BROKEN_IN_A_ROW * 3))

    answers = [client.read() for _ in range(unix_connection.MAX_BROKEN_IN_A_ROW)]

    assert {code_of(answer) for answer in answers} == {ErrorCode.PARSE_ERROR}
    assert client.read_line() == b""


def test_an_oversized_message_is_refused_while_it_is_still_sent_and_the_connection_lives(client: RawClient) -> None:
    client.send(b'{"jsonrpc":"2.0","id":1,"method":"create_job","params":{"script":"')
    for _ in range(MAX_MESSAGE_BYTES // 65536 + 1):
        client.send(b"x" * 65536)
    early = client.read()
    client.send(b'"}}' + VERSION)

    assert (code_of(early), early["error"]["data"]["max_bytes"]) == (ErrorCode.MESSAGE_TOO_LARGE, MAX_MESSAGE_BYTES)
    assert client.read()["result"]


def test_an_oversized_message_in_a_single_send_is_refused(client: RawClient) -> None:
    client.send(request("create_job", job(script="x" * MAX_MESSAGE_BYTES)))

    assert code_of(client.read()) == ErrorCode.MESSAGE_TOO_LARGE


def test_a_large_script_goes_in_and_comes_out_whole(client: RawClient) -> None:
    script = "// " + 'é\\"{[' * 150_000
    client.call("create_job", job(id="big", script=script))

    assert client.call("get_job", ["big"])["script"] == script


# Concurrent requests.


def test_answers_come_as_they_are_ready_and_not_in_order(client: RawClient, foreign_actor: StartActor) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    client.send(request("run_job", job(), request_id="slow"))
    actor.held.wait()
    client.send(request("version", request_id="quick"))

    first = client.read()["id"]
    actor.may_finish.set()

    assert first == "quick"
    assert client.read()["id"] == "slow"


def test_more_requests_than_may_be_in_flight_are_all_answered(client: RawClient) -> None:
    count = flow_control.MAX_IN_FLIGHT * 3
    client.socket.settimeout(GENEROUS_S)
    for start in range(0, count, 500):
        client.send(b"".join(request("version", request_id=i) for i in range(start, min(start + 500, count))))

    assert {client.read()["id"] for _ in range(count)} == set(range(count))


def test_a_batch_is_answered_in_one_line(client: RawClient) -> None:
    client.send(b"[" + request("version", request_id=1) + b"," + request("nothing", request_id=2) + b"]")

    first, second = client.read()

    assert (first["id"], second["id"]) == (1, 2)


# Start and end of the server.


def test_only_the_owner_may_open_the_socket(unix_server: RunningServer) -> None:
    assert stat.S_IMODE(unix_server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(unix_server.path.parent.stat().st_mode) == 0o700


def test_the_socket_has_the_configured_mode(valkey: ValkeyServer, namespace: str, socket_path: Path) -> None:
    server = RunningServer(valkey.url, namespace, socket_path, unix_mode="0666").start()
    mode = stat.S_IMODE(socket_path.stat().st_mode)
    server.stop()

    assert mode == 0o666


def test_closing_finishes_the_requests_in_flight(
    unix_server: RunningServer, foreign_actor: StartActor, client: RawClient
) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    client.send(request("run_job", job()))
    actor.held.wait()
    unix_server.begin_stop()
    eventually(lambda: not unix_server.path.exists())
    actor.may_finish.set()

    assert client.read()["result"] == "ran 40 + 2"
    assert client.read_line() == b""


def test_closing_answers_requests_that_cannot_be_finished(unix_server: RunningServer, client: RawClient) -> None:
    client.send(request("run_job", job(id="j1", script_type="V")))
    eventually(lambda: unix_server.in_flight() == 1)
    client.send(b"[" + request("run_job", job(script_type="V")) + b"]")
    eventually(lambda: unix_server.in_flight() == 2)
    unix_server.stop(grace_s=0.1)

    answers = [client.read(), client.read()]

    batch = next(answer for answer in answers if isinstance(answer, list))
    single = next(answer for answer in answers if isinstance(answer, dict))
    assert [code_of(a) for a in (single, *batch)] == [ErrorCode.SHUTTING_DOWN] * 2
    assert client.read_line() == b""


def test_the_file_is_gone_after_closing_and_the_path_can_be_used_again(
    unix_server: RunningServer, valkey: ValkeyServer, namespace: str
) -> None:
    unix_server.stop()
    gone = not unix_server.path.exists()
    again = RunningServer(valkey.url, namespace, unix_server.path).start()
    with RawClient(unix_server.path) as client:
        answered = client.call("version")
    again.stop()

    assert gone
    assert answered
