"""Who may do what over TCP: tokens and their scopes, whose jobs are whose, pages of the web, and what is logged."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hero_config.load import load
from hero_config.problems import ConfigError
from hero_config.settings import RpcSettings
from hero_supervisor.rpc import auth, web_socket
from hero_supervisor.rpc.auth import Attempts, Scope, Tokens, needed_scope
from hero_supervisor.rpc.web_checks import host_allowed, origin_allowed
from hero_supervisor.rpc.wire import ErrorCode
from tests.rpc.raw_client import job, request
from tests.rpc.web_server import TOKENS, RunningWeb, ask, bearer, curl, token_settings
from tests.valkey_server import ValkeyServer

VERSION = request("version")


@pytest.fixture
def web_server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningWeb]:
    server = RunningWeb(valkey.url, namespace, tokens=token_settings()).start()
    yield server
    server.stop()


def call(server: RunningWeb, name: str, method: str, params: Any = None) -> Any:
    return curl(server.url(), *bearer(name), body=request(method, params)).json


# Tokens.


def test_without_tokens_a_client_of_this_machine_may_do_everything(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningWeb(valkey.url, namespace).start()
    answer = curl(server.url(), body=request("whoami"))
    server.stop()

    assert answer.json["result"] == {"name": None, "scope": "admin"}


@pytest.mark.parametrize("options", [(), ("-H", "Authorization: Basic YTpi"), ("-H", "Authorization: Bearer")])
def test_a_post_without_a_token_is_refused(web_server: RunningWeb, options: tuple[str, ...]) -> None:
    answer = curl(web_server.url(), *options, body=VERSION)

    assert (answer.status, answer.code) == (401, ErrorCode.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_refused_and_the_log_has_the_address_and_not_the_token(
    web_server: RunningWeb, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = curl(web_server.url(), "-H", "Authorization: Bearer wrong-secret", body=VERSION)

    (record,) = [r for r in caplog.records if r.message == "rpc.token_refused"]
    assert (answer.status, record.peer) == (401, "127.0.0.1")  # type: ignore[attr-defined]
    assert "wrong-secret" not in str([r.__dict__ for r in caplog.records])


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_makes_its_holder_known(web_server: RunningWeb, name: str) -> None:
    identity = call(web_server, name, "whoami")["result"]

    assert identity == {"name": name, "scope": {"admin": "admin", "reader": "read"}.get(name, "user")}


def test_too_many_wrong_tokens_block_the_address_for_a_while(web_server: RunningWeb) -> None:
    for _ in range(auth.FREE_ATTEMPTS):
        assert curl(web_server.url(), "-H", "Authorization: Bearer wrong", body=VERSION).status == 401

    answer = curl(web_server.url(), *bearer("admin"), body=VERSION)

    assert (answer.status, answer.code) == (429, ErrorCode.TOO_MANY_ATTEMPTS)
    assert 0 < int(answer.headers["retry-after"]) <= auth.ATTEMPT_EVERY_S + 1


def test_a_guess_takes_its_time_and_the_next_one_more() -> None:
    attempts = Attempts(free=3, every_s=10)
    for _ in range(3):
        assert attempts.blocked_s("192.0.2.1", 100) == 0
        attempts.count("192.0.2.1", 100)

    assert attempts.blocked_s("192.0.2.1", 100) == 10
    assert attempts.blocked_s("192.0.2.2", 100) == 0
    assert attempts.blocked_s("192.0.2.1", 110) == 0
    attempts.count("192.0.2.1", 110)
    assert attempts.blocked_s("192.0.2.1", 110) == 10
    assert attempts.blocked_s("192.0.2.1", 1000) == 0


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    attempts = Attempts(free=1, every_s=10)
    attempts.count("2001:db8::1", 0)

    assert attempts.blocked_s("2001:db8::2:3", 0) == 10
    assert attempts.blocked_s("2001:db8:0:1::1", 0) == 0


def test_an_attacker_with_many_addresses_fills_no_memory() -> None:
    attempts = Attempts()
    for i in range(auth.MAX_PEERS * 2):
        attempts.count(f"peer-{i}", 0)

    assert len(attempts._empty_at) == auth.MAX_PEERS


def test_a_token_is_found_by_its_hash_alone() -> None:
    tokens = Tokens(RpcSettings.model_validate({"tokens": token_settings()}).tokens)

    assert [tokens.holder(token).name for token in TOKENS.values()] == list(TOKENS)  # type: ignore[union-attr]
    assert tokens.holder("") is None
    assert tokens.holder("\udc80") is None
    assert tokens.holder(token_settings()[0]["sha256"]) is None


# Scopes.


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("authenticate", Scope.NONE),
        ("version", Scope.READ),
        ("health", Scope.READ),
        ("rpc.discover", Scope.READ),
        ("get_job", Scope.READ),
        ("list_jobs", Scope.READ),
        ("create_job", Scope.USER),
        ("run_job", Scope.USER),
        ("play", Scope.USER),
        ("stop_job", Scope.USER),
        ("delete_job", Scope.USER),
        ("clear_all_jobs", Scope.ADMIN),
        ("pause_queue", Scope.ADMIN),
        ("retry_dead", Scope.ADMIN),
        ("purge_dead", Scope.ADMIN),
        ("create_schedule", Scope.ADMIN),
        ("delete_schedule", Scope.ADMIN),
        ("wait_jobs", Scope.READ),
        ("stats", Scope.READ),
        ("job.result", Scope.READ),
        ("jobs.create", Scope.USER),
        ("job.stop", Scope.USER),
        ("never_heard_of", Scope.ADMIN),
    ],
)
def test_each_method_takes_a_scope_and_an_unknown_one_the_highest(method: str, scope: Scope) -> None:
    assert needed_scope(method) is scope


def test_no_method_that_changes_something_is_for_readers(web_server: RunningWeb) -> None:
    names = set(web_server.server._dispatcher.methods)
    changing = re.compile(r"create|delete|purge|clear|pause|resume|stop|start|run|play|retry|put_|scale|reload")

    assert {name for name in names if needed_scope(name) is Scope.NONE} == {"authenticate"}
    assert [name for name in names if needed_scope(name) is Scope.READ and changing.search(name)] == []


def test_refusals_are_logged_so_often_and_no_more(web_server: RunningWeb, caplog: pytest.LogCaptureFixture) -> None:
    body = b"[" + b",".join(request("play", ["1"], i) for i in range(auth.FREE_ATTEMPTS * 5)) + b"]"
    with caplog.at_level(logging.WARNING):
        answers = curl(web_server.url(), *bearer("reader"), body=body).json

    assert {answer["error"]["code"] for answer in answers} == {ErrorCode.FORBIDDEN}
    assert [r.message for r in caplog.records].count("rpc.refused") == auth.FREE_ATTEMPTS


def test_a_reader_reads_and_does_nothing_else(web_server: RunningWeb, caplog: pytest.LogCaptureFixture) -> None:
    call(web_server, "admin", "create_job", [job(id="j1")])
    with caplog.at_level(logging.WARNING):
        read = call(web_server, "reader", "get_job", ["j1"])
        refused = [
            call(web_server, "reader", method, params)["error"]
            for method, params in [
                ("create_job", [job()]),
                ("start_job", ["j1"]),
                ("delete_job", ["j1"]),
                ("play", ["1"]),
            ]
        ]

    assert read["result"]["id"] == "j1"
    assert {error["code"] for error in refused} == {ErrorCode.FORBIDDEN}
    assert "'user'" in refused[0]["message"]
    logged = [(r.holder, r.what) for r in caplog.records if r.message == "rpc.refused"]  # type: ignore[attr-defined]
    assert logged[0] == ("reader", "create_job")


def test_each_request_of_a_batch_is_judged_by_itself(web_server: RunningWeb) -> None:
    body = b"[" + request("version", request_id=1) + b"," + request("delete_job", ["j"], request_id=2) + b"]"

    first, second = curl(web_server.url(), *bearer("reader"), body=body).json

    assert first["result"]
    assert second["error"]["code"] == ErrorCode.FORBIDDEN


def test_a_notification_that_is_not_allowed_does_nothing(web_server: RunningWeb) -> None:
    one = orjson.dumps({"jsonrpc": "2.0", "method": "create_job", "params": [job(id="j1")]})

    assert curl(web_server.url(), *bearer("reader"), body=one).status == 204
    assert call(web_server, "reader", "get_job", ["j1"])["error"]["code"] == ErrorCode.JOB_NOT_FOUND


def test_a_user_cannot_call_what_only_an_administrator_may(web_server: RunningWeb) -> None:
    assert call(web_server, "alice", "no_such_method")["error"]["code"] == ErrorCode.FORBIDDEN
    assert call(web_server, "admin", "no_such_method")["error"]["code"] == ErrorCode.METHOD_NOT_FOUND


def test_the_jobs_of_a_user_carry_its_name(web_server: RunningWeb) -> None:
    call(web_server, "alice", "create_job", [job(id="j1", caller_id=None)])
    call(web_server, "alice", "create_job", job(id="j2", caller_id="alice"))

    assert call(web_server, "bob", "get_job", ["j1"])["result"]["caller_id"] == "alice"
    assert call(web_server, "bob", "get_job", ["j2"])["result"]["caller_id"] == "alice"


def test_a_user_cannot_speak_for_another_caller(web_server: RunningWeb) -> None:
    for given in (job(caller_id="bob"), {**job(caller_id=None), "callerId": "bob"}, job(caller_id="anonymous")):
        assert call(web_server, "alice", "create_job", [given])["error"]["code"] == ErrorCode.FORBIDDEN
        assert call(web_server, "alice", "run_job", {"job": given})["error"]["code"] == ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    "method", ["start_job", "stop_job", "retry_job", "delete_job", "job.start", "job.stop", "job.delete"]
)
def test_a_user_has_power_over_its_own_jobs_only(web_server: RunningWeb, method: str) -> None:
    call(web_server, "alice", "create_job", [job(id="j1", caller_id=None)])

    of_another = call(web_server, "bob", method, ["j1"])
    of_nobody = call(web_server, "bob", method, ["none"])
    own = call(web_server, "alice", method, ["j1"])

    assert of_another["error"]["code"] == ErrorCode.FORBIDDEN
    assert of_nobody["error"]["code"] == ErrorCode.JOB_NOT_FOUND
    # A job that has not failed cannot be repeated, which is for its owner to hear.
    assert "result" in own or (method, own["error"]["code"]) == ("retry_job", ErrorCode.JOB_STATE)


def test_an_administrator_has_power_over_all_jobs_and_may_name_any_caller(web_server: RunningWeb) -> None:
    call(web_server, "admin", "create_job", [job(id="j1", caller_id="alice")])

    assert "result" in call(web_server, "admin", "delete_job", ["j1"])


# WebSockets.


def test_the_header_authenticates_a_websocket(web_server: RunningWeb) -> None:
    header = {"Authorization": f"Bearer {TOKENS['alice']}"}
    with web_server.websocket(additional_headers=header) as client:
        assert ask(client, "whoami")["result"] == {"name": "alice", "scope": "user"}


def test_a_wrong_token_opens_no_websocket(web_server: RunningWeb) -> None:
    with pytest.raises(InvalidStatus) as refused:
        web_server.websocket(additional_headers={"Authorization": "Bearer wrong"})

    assert refused.value.response.status_code == 401


def test_the_first_message_authenticates_a_websocket(web_server: RunningWeb) -> None:
    with web_server.websocket() as client:
        before = ask(client, "version")
        wrong = ask(client, "authenticate", ["wrong"])
        unknown = ask(client, "no_such_method")
        right = ask(client, "authenticate", {"token": TOKENS["alice"]})
        after = ask(client, "version")

    assert [a["error"]["code"] for a in (before, wrong, unknown)] == [ErrorCode.UNAUTHENTICATED] * 3
    assert right["result"] == {"name": "alice", "scope": "user"}
    assert after["result"]


def test_requests_may_follow_the_first_message_without_waiting_for_its_answer(web_server: RunningWeb) -> None:
    with web_server.websocket() as client:
        client.send(request("authenticate", [TOKENS["alice"]]).decode())
        client.send(VERSION.decode())

        assert [bool(orjson.loads(client.recv(30))["result"]) for _ in range(2)] == [True, True]


def test_a_batch_is_no_way_to_guess_faster(web_server: RunningWeb) -> None:
    guesses = ",".join(request("authenticate", [f"guess {i}"], i).decode() for i in range(100))
    with web_server.websocket() as client:
        client.send(f"[{guesses}]")
        codes = [answer["error"]["code"] for answer in orjson.loads(client.recv(30))]

    assert codes.count(ErrorCode.UNAUTHENTICATED) == auth.FREE_ATTEMPTS
    assert codes.count(ErrorCode.TOO_MANY_ATTEMPTS) == 100 - auth.FREE_ATTEMPTS


@pytest.mark.parametrize("message", ["", " " * (web_socket.MAX_UNAUTHENTICATED_BYTES + 1)])
def test_a_client_that_does_not_say_who_it_is_is_shown_out(
    web_server: RunningWeb, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.setattr(web_socket, "AUTHENTICATE_WITHIN_S", 30.0 if message else 0.2)
    with web_server.websocket() as client:
        if message:
            client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(30)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_user_on_a_connection_with_a_context_is_bound_to_both(web_server: RunningWeb) -> None:
    header = {"Authorization": f"Bearer {TOKENS['alice']}"}
    with web_server.websocket("/02beef", additional_headers=header) as client:
        ask(client, "create_job", {"id": "j1", "script": "1", "script_type": "SAL"})
        made = ask(client, "get_job", ["j1"])["result"]
        refused = ask(client, "create_job", [job(caller_id=None, context_id="02other")])

    assert (made["caller_id"], made["context_id"]) == ("alice", "02beef")
    assert refused["error"]["code"] == ErrorCode.FORBIDDEN


# Pages of the web.


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_health_is_open_to_all_and_metrics_to_readers(web_server: RunningWeb, path: str) -> None:
    assert curl(web_server.url(path)).status == (200 if path == "/healthz" else 401)
    assert curl(web_server.url(path), *bearer("reader")).status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Origin: http://localhost:3000", 200),
        ("Origin: https://app.example.org", 200),
        ("Origin: https://evil.example", 403),
        ("Origin: null", 403),
        ("Host: hero.example.org", 200),
        ("Host: rebound.evil.example", 403),
        ("Host: 127.0.0.1:80", 200),
    ],
)
@pytest.mark.parametrize("websocket", [False, True])
def test_pages_of_other_sites_and_names_of_other_sites_are_refused(
    valkey: ValkeyServer,
    namespace: str,
    caplog: pytest.LogCaptureFixture,
    header: str,
    status: int,
    websocket: bool,
) -> None:
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "A" * 22 + "==",
    )
    options = [part for line in (header, *(upgrade if websocket else ())) for part in ("-H", line)]
    server = RunningWeb(valkey.url, namespace, origins=["https://app.example.org"], hosts=["hero.example.org"]).start()
    try:
        with caplog.at_level(logging.WARNING):
            if websocket:
                answer = curl(server.url(), *options, "--max-time", "1" if status == 200 else "30")
            else:
                answer = curl(server.url(), *options, body=VERSION)
    finally:
        server.stop()

    assert answer.status == (101 if websocket and status == 200 else status)
    assert ("rpc.refused" in caplog.text) == (status == 403)


@pytest.mark.parametrize(
    ("values", "host", "allowed"),
    [
        ([], "localhost", True),
        (["http://localhost"], "localhost:9000", True),
        (["https://127.0.0.1:8443"], "localhost", True),
        (["http://[::1]:1"], "localhost", True),
        (["http://192.0.2.7:9000"], "192.0.2.7:9000", True),
        (["http://192.0.2.7:9001"], "192.0.2.7:9000", False),
        (["http://localhost.evil.example"], "localhost", False),
        (["http://localhost@evil.example"], "localhost", False),
        (["http://localhost", "http://evil.example"], "localhost", False),
        (["file://"], "localhost", False),
        (["null"], "null", False),
        ([""], "localhost", False),
        (["HTTPS://App.Example.org"], "localhost", True),
    ],
)
def test_an_origin_is_allowed_when_it_is_of_this_machine_of_the_port_or_listed(
    values: list[str], host: str, allowed: bool
) -> None:
    assert origin_allowed(values, host, {"https://app.example.org"}) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("Hero.example.org:1", True),
        ("example.org", False),
        ("localhost.example.org", False),
        ("user@localhost", False),
        ("localhost/x", False),
        ("localhost:x", False),
        ("[", False),
        ("", False),
        (None, False),
    ],
)
def test_a_host_is_allowed_when_it_is_an_address_localhost_or_listed(host: str | None, allowed: bool) -> None:
    assert host_allowed(host, {"hero.example.org"}) is allowed


# What may be configured.

TOKEN = f'tokens = [{{ name = "ops", scope = "admin", sha256 = "{"0" * 64}" }}]\n'
TLS = 'tls_cert = "c"\ntls_key = "k"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('bind = "0.0.0.0"\nport = 9000\n', "give tokens"),
        ('bind = "::"\nport = 9000\n' + TLS, "give tokens"),
        ('bind = "192.0.2.1"\nport = 9000\n' + TOKEN, "tls_cert and tls_key"),
        ('tls_cert = "c"\n', "given together"),
        ('bind = "example.org"\n', "IP address"),
        ('tokens = [{ name = "a", scope = "god", sha256 = "00" }]\n', "'admin', 'user' or 'read'"),
        (TOKEN.replace("]", ", ") + TOKEN.removeprefix("tokens = ["), "used twice"),
    ],
)
def test_what_would_be_open_to_the_network_is_refused_at_the_start(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(f"[rpc]\n{text}")

    with pytest.raises(ConfigError, match=problem):
        load(path, environ={})


@pytest.mark.parametrize(
    "text",
    [
        "port = 9000\n",
        'bind = "::1"\nport = 9000\n',
        'bind = "0.0.0.0"\n',
        'bind = "0.0.0.0"\nport = 9000\n' + TOKEN + TLS,
        'bind = "0.0.0.0"\nport = 9000\ninsecure = true\n',
    ],
)
def test_what_is_safe_or_said_to_be_is_accepted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hero.toml"
    path.write_text(f"[rpc]\n{text}")

    assert load(path, environ={}).rpc
