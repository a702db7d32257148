"""The TCP port over HTTP: POST, health and metrics, TLS, and the start and end of the server."""

from __future__ import annotations

import ssl
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.sync.client import connect

from hero_supervisor.rpc.protocol.wire import ErrorCode
from hero_supervisor.rpc.tcp import server as web
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.protocol.test_dispatch import SPECIFICATION
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import MAX_MESSAGE_BYTES, RunningServer
from tests.supervisor.rpc.tcp_client import (
    ask,
    curl,
    frame,
    make_certificate,
    post_head,
    read_all,
    upgrade_to_websocket,
)
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]
VERSION = request("version")


# POST.


@pytest.mark.parametrize("path", ["/", "/rpc"])
def test_a_request_is_answered(web_server: RunningServer, path: str) -> None:
    answer = curl(web_server.url(path), body=VERSION)

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["result"]["name"] == "hero-runtime"


def test_a_batch_is_answered_in_order(web_server: RunningServer) -> None:
    body = b"[" + request("version", request_id=1) + b"," + request("nothing", request_id=2) + b"]"

    first, second = curl(web_server.url(), body=body).json

    assert (first["id"], second["id"]) == (1, 2)
    assert second["error"]["code"] == ErrorCode.METHOD_NOT_FOUND


@pytest.mark.parametrize("batch", [False, True])
def test_notifications_are_carried_out_and_answered_with_no_content(web_server: RunningServer, batch: bool) -> None:
    one = orjson.dumps({"jsonrpc": "2.0", "method": "create_job", "params": [job(id="j1")]})

    answer = curl(web_server.url(), body=b"[" + one + b"]" if batch else one)

    assert (answer.status, answer.body) == (200, b"")
    assert curl(web_server.url(), body=request("get_job_status", ["j1"])).json["result"] == "created"


@pytest.mark.parametrize(("text", "expected"), SPECIFICATION.values(), ids=SPECIFICATION.keys())
def test_the_examples_of_the_specification_get_one_answer_or_none(
    web_server: RunningServer, text: str, expected: Any
) -> None:
    answer = curl(web_server.url(), body=text.encode())

    assert answer.status == 200
    # The methods of the examples do not exist here, but malformed requests are malformed everywhere.
    if isinstance(expected, dict) and expected.get("error") in {-32700, -32600}:
        assert (answer.code, answer.json["id"]) == (expected["error"], None)
    elif isinstance(expected, list):
        assert [item["id"] for item in answer.json] == [item["id"] for item in expected]


def test_a_job_is_run_and_waited_for(web_server: RunningServer, foreign_actor: StartActor) -> None:
    foreign_actor("sal")

    assert curl(web_server.url(), body=request("run_job", job())).json["result"] == "ran 40 + 2"


def test_a_body_in_chunks_is_one_request(web_server: RunningServer) -> None:
    answer = curl(web_server.url(), "-H", "Transfer-Encoding: chunked", body=VERSION)

    assert answer.json["result"]


def test_pipelined_requests_on_one_connection_are_answered_in_order(web_server: RunningServer) -> None:
    with web_server.raw() as connection:
        for i in range(3):
            body = request("version", request_id=i)
            connection.sendall(post_head(len(body)) + body)
        data = b""
        while data.count(b'"result"') < 3:
            data += connection.recv(65536)

    assert [data.index(b'"id":%d' % i) for i in range(3)] == sorted(data.index(b'"id":%d' % i) for i in range(3))


@pytest.mark.parametrize("path", ["/", "/rpc"])
def test_get_is_answered_with_a_hint(web_server: RunningServer, path: str) -> None:
    answer = curl(web_server.url(path))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert b"POST a JSON-RPC 2.0 request" in answer.body


def test_other_paths_do_not_exist(web_server: RunningServer) -> None:
    assert curl(web_server.url("/other"), body=VERSION).status == 404


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_refused(web_server: RunningServer, chunked: bool) -> None:
    options = ("-H", "Transfer-Encoding: chunked") if chunked else ()

    answer = curl(web_server.url(), *options, body=b" " * (MAX_MESSAGE_BYTES + 1))

    assert (answer.status, answer.code) == (413, ErrorCode.MESSAGE_TOO_LARGE)


def test_an_oversized_body_is_refused_before_it_is_sent(web_server: RunningServer) -> None:
    with web_server.raw() as connection:
        connection.sendall(post_head(MAX_MESSAGE_BYTES + 1))

        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


# Health and metrics.


def test_health_shows_the_store_and_the_actors(web_server: RunningServer) -> None:
    answer = curl(web_server.url("/healthz"))

    assert (answer.status, answer.json) == (200, {"status": "ok", "store": "ok", "actors": 0})


def test_without_the_store_health_is_degraded_and_metrics_still_answer(tmp_path: Path) -> None:
    server = RunningServer(f"unix://{tmp_path}/nobody.sock", "x").start()
    try:
        health = curl(server.url("/healthz"))
        metrics = curl(server.url("/metrics"))
        asked = curl(server.url(), body=request("get_job", ["j"]))
    finally:
        server.stop()

    assert (health.status, health.json["status"]) == (503, "degraded")
    assert str(tmp_path) not in health.body.decode()
    assert (metrics.status, b"hero_store_up 0\n" in metrics.body) == (200, True)
    assert (asked.status, asked.code) == (200, ErrorCode.STORE_UNAVAILABLE)


def test_metrics_show_queues_actors_and_dead_letters(web_server: RunningServer) -> None:
    curl(web_server.url(), body=request("create_job", [job(id="j1")]))
    curl(web_server.url(), body=request("start_job", ["j1"]))

    answer = curl(web_server.url("/metrics"))

    lines = answer.body.decode().splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {'hero_queue_jobs{script_type="SAL"} 1', "hero_dead_jobs 0", "hero_store_up 1"} < set(lines)
    assert 'hero_actors{script_type="OSIS"} 0' in lines
    assert all(line.startswith(("# HELP ", "# TYPE ", "hero_", "process_")) for line in lines)


def test_metrics_name_the_settings_of_the_store_that_may_lose_jobs(own_valkey: ValkeyServer, namespace: str) -> None:
    own_valkey.command("CONFIG", "SET", "appendonly", "no")
    server = RunningServer(own_valkey.url, namespace).start()
    try:
        lines = curl(server.url("/metrics")).body.decode().splitlines()
    finally:
        server.stop()

    assert 'hero_store_dangerous_settings{setting="appendonly no"} 1' in lines
    assert "hero_store_replicas 0" in lines


def test_metrics_tell_how_far_each_queue_is_behind(web_server: RunningServer) -> None:
    curl(web_server.url(), body=request("create_job", [job(id="j1")]))
    curl(web_server.url(), body=request("start_job", ["j1"]))
    curl(web_server.url(), body=request("create_job", [job(id="j2", delay_s=1000)]))
    curl(web_server.url(), body=request("start_job", ["j2"]))
    curl(web_server.url(), body=request("pause_queue", ["V"]))
    schedule = {"name": 'a "quoted" name', "job": job(), "interval_s": 3600}
    curl(web_server.url(), body=request("create_schedule", schedule))

    lines = curl(web_server.url("/metrics")).body.decode().splitlines()

    assert {
        'hero_queue_waiting_jobs{queue="sal"} 1',
        'hero_queue_unserved{queue="sal"} 1',
        'hero_queue_unserved{queue="osis"} 0',
        'hero_queue_paused{queue="v"} 1',
        'hero_queue_paused{queue="sal"} 0',
        "hero_jobs_delayed 1",
        "hero_jobs_blocked 0",
        "hero_actors_silent 0",
    } < set(lines)
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert values['hero_queue_oldest_wait_seconds{queue="sal"}'] > 0
    assert values['hero_queue_oldest_wait_seconds{queue="osis"}'] == 0
    assert values["hero_store_roundtrip_seconds"] > 0


# Start and end of the server.


def test_closing_finishes_the_requests_in_flight(web_server: RunningServer, foreign_actor: StartActor) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    body = request("run_job", job())
    with web_server.raw() as connection:
        connection.sendall(post_head(len(body)) + body)
        actor.held.wait()
        web_server.begin_stop()
        eventually(web_server.is_closing)
        actor.may_finish.set()

        assert b"ran 40 + 2" in read_all(connection)


def test_closing_answers_requests_that_cannot_be_finished(web_server: RunningServer) -> None:
    body = request("run_job", job(script_type="V"))
    with web_server.raw() as connection:
        connection.sendall(post_head(len(body)) + body)
        eventually(lambda: web_server.in_flight() > 0)
        web_server.stop(grace_s=0.1)

        assert str(int(ErrorCode.SHUTTING_DOWN)).encode() in read_all(connection)


def test_the_port_can_be_reused_immediately_after_closing_and_not_before(
    web_server: RunningServer, valkey: ValkeyServer, namespace: str
) -> None:
    again = RunningServer(valkey.url, namespace, port=web_server.port)
    with pytest.raises(OSError, match="in use"):
        again.start()
    curl(web_server.url(), body=VERSION)
    web_server.stop()
    later = RunningServer(valkey.url, namespace, port=web_server.port).start()
    later.port = web_server.port
    answered = curl(later.url(), body=VERSION).json
    later.stop()

    assert answered["result"]


def test_tls_is_spoken_when_there_is_a_certificate(valkey: ValkeyServer, namespace: str, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    server = RunningServer(valkey.url, namespace, tls_cert=cert, tls_key=key).start()
    try:
        secure = curl(server.url(scheme="https"), "--cacert", cert, body=VERSION)
        untrusted = curl(server.url(scheme="https"), body=VERSION)
        plain = curl(server.url(), body=VERSION)
    finally:
        server.stop()

    assert secure.json["result"]
    assert (untrusted.status, plain.status) == (0, 0)


def test_half_a_tls_handshake_is_waited_for_only_so_long(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "HEAD_S", 0.2)
    cert, key = make_certificate(tmp_path)
    server = RunningServer(valkey.url, namespace, tls_cert=cert, tls_key=key).start()
    try:
        with server.raw() as half:
            half.sendall(b"\x16\x03\x01\x02\x00")

            assert read_all(half) == b""
    finally:
        server.stop()


def test_a_websocket_is_served_over_tls(valkey: ValkeyServer, namespace: str, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    server = RunningServer(valkey.url, namespace, tls_cert=cert, tls_key=key).start()
    try:
        context = ssl.create_default_context(cafile=cert)
        with connect(server.url(scheme="wss"), ssl=context, open_timeout=GENEROUS_S) as client:
            assert ask(client, "version")["result"]
    finally:
        server.stop()


def test_closing_leaves_a_client_alone_that_closes_over_tls_at_the_same_moment(
    valkey: ValkeyServer, namespace: str, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path)
    server = RunningServer(valkey.url, namespace, tls_cert=cert, tls_key=key).start()
    try:
        # The library `websockets` would answer the end of TLS immediately; this client keeps the connection open.
        with ssl.create_default_context(cafile=cert).wrap_socket(server.raw(), server_hostname="127.0.0.1") as client:
            upgrade_to_websocket(client)
            client.sendall(frame(struct.pack("!H", 1000), first=0x88))
            assert client.recv(4) == b"\x88\x02\x03\xe8"
            server.stop()
    finally:
        server.stop()


def test_a_missing_certificate_is_an_error_at_the_start(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace, tls_cert="/nowhere/cert.pem", tls_key="/nowhere/key.pem")

    with pytest.raises(OSError, match="No such file"):
        server.start()


def test_a_service_without_a_port_loads_none_of_the_web_libraries() -> None:
    program = (
        "import sys; import hero_supervisor.service, hero_supervisor.rpc.unix.server;"
        "print([name for name in ('uvicorn', 'starlette', 'websockets', 'h11') if name in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
