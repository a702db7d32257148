"""Authentication by a signed nonce, over a WebSocket and the Unix socket, but not over a POST."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.sync.client import ClientConnection

from hero_job.protocol.keys import Keys
from hero_supervisor.rpc.auth import gate
from hero_supervisor.rpc.auth import scopes as auth
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import GENEROUS_S, eventually
from tests.keypair import KeyPair, OpensslKey
from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, ask, bearer, curl, token_settings
from tests.valkey_server import ValkeyServer

ALICE, STRANGER = KeyPair(7), KeyPair(9)
Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(valkey: ValkeyServer, namespace: str) -> Iterator[Serve]:
    servers: list[RunningServer] = []

    def start(**settings: Any) -> RunningServer:
        servers.append(RunningServer(valkey.url, namespace, **{"signature_keys": [ALICE.public], **settings}).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def nonce_of(client: ClientConnection, key: str) -> str:
    nonce: str = ask(client, "fetch_nonce", [key])["result"]
    return nonce


def refusal(answer: Any) -> tuple[int, str]:
    return answer["error"]["code"], answer["error"]["message"]


@pytest.mark.parametrize("form", ["der", "compact", "recoverable", "high"])
def test_a_signed_nonce_makes_the_key_the_caller(serve: Serve, form: str) -> None:
    with serve().websocket() as client:
        nonce = nonce_of(client, ALICE.public)
        assert ask(client, "authenticate", [ALICE.public, getattr(ALICE, form)(nonce)])["result"] is True
        identity = ask(client, "whoami")["result"]

    assert identity == {"name": ALICE.public, "scope": "user", "by": "signature", "peer": None}


def test_a_signature_of_the_openssl_command_is_accepted(serve: Serve, tmp_path: Path) -> None:
    key = OpensslKey(tmp_path)
    with serve(signature_keys=["*"]).websocket() as client:
        nonce = nonce_of(client, key.uncompressed.upper())
        named = {"pubkey": key.uncompressed, "signature": key.der(nonce).upper(), "nonce": nonce}
        assert ask(client, "authenticate", named)["result"] is True
        assert ask(client, "whoami")["result"]["name"] == key.public


def test_jobs_of_a_key_name_it_as_caller_or_are_refused(serve: Serve) -> None:
    with serve().websocket() as client:
        assert ask(client, "authenticate", [ALICE.public, ALICE.der(nonce_of(client, ALICE.public))])["result"]
        ask(client, "create_job", job(id="j1", caller_id=None))
        ask(client, "create_job", job(id="j2", caller_id=ALICE.public))
        refused = [
            ask(client, "create_job", job(caller_id=STRANGER.public)),
            ask(client, "run_job", {"job": job(caller_id="bob")}),
            ask(client, "create_jobs", [[job(caller_id="bob")]]),
        ]
        callers = [ask(client, "get_job", [j])["result"]["caller_id"] for j in ("j1", "j2")]

    assert callers == [ALICE.public] * 2
    assert {refusal(answer)[0] for answer in refused} == {ErrorCode.FORBIDDEN}
    assert "the signature" in refusal(refused[0])[1]


def test_an_administrator_that_signs_is_the_caller_of_its_jobs(serve: Serve) -> None:
    with serve(signature_scope="admin").websocket() as client:
        assert ask(client, "authenticate", [ALICE.public, ALICE.der(nonce_of(client, ALICE.public))])["result"]
        refused = ask(client, "create_job", job(caller_id="bob"))

        assert "result" in ask(client, "list_dead", [])
        assert refusal(refused)[0] == ErrorCode.FORBIDDEN


def test_a_nonce_is_good_for_one_attempt_right_or_wrong(serve: Serve) -> None:
    with serve().websocket() as client:
        first = nonce_of(client, ALICE.public)
        wrong = ask(client, "authenticate", [ALICE.public, ALICE.der("something else"), first])
        again = ask(client, "authenticate", [ALICE.public, ALICE.der(first), first])
        second = nonce_of(client, ALICE.public)
        right = ask(client, "authenticate", [ALICE.public, ALICE.der(second), second])
        replayed = ask(client, "authenticate", [ALICE.public, ALICE.der(second), second])

    assert "not the key's signature" in refusal(wrong)[1]
    assert "used" in refusal(again)[1]
    assert right["result"] is True
    assert refusal(replayed)[0] == ErrorCode.UNAUTHENTICATED
    assert first != second


def test_a_nonce_is_refused_for_another_key_and_after_it_has_expired(
    serve: Serve, valkey: ValkeyServer, namespace: str
) -> None:
    with serve(signature_keys=["*"]).websocket() as client:
        nonce = nonce_of(client, ALICE.public)
        stolen = ask(client, "authenticate", [STRANGER.public, STRANGER.der(nonce), nonce])
        late = nonce_of(client, ALICE.public)
        key = Keys(namespace).nonce(late)
        valkey.command("PEXPIRE", key, 1)
        eventually(lambda: valkey.command("EXISTS", key) == 0)
        expired = ask(client, "authenticate", [ALICE.public, ALICE.der(late)])
        none = ask(client, "authenticate", [ALICE.public, ALICE.der("x")])

    assert refusal(stolen) == refusal(expired)
    assert "another key" in refusal(stolen)[1]
    assert "no nonce for this key" in refusal(none)[1]


def test_a_nonce_of_one_supervisor_is_accepted_once_by_another(serve: Serve) -> None:
    with serve().websocket() as one, serve().websocket() as other:
        nonce = nonce_of(one, ALICE.public)
        at_other = ask(other, "authenticate", {"pubkey": ALICE.public, "signature": ALICE.der(nonce), "nonce": nonce})
        at_first = ask(one, "authenticate", [ALICE.public, ALICE.der(nonce)])

    assert at_other["result"] is True
    assert refusal(at_first)[0] == ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(("allowed", "who"), [([ALICE.public], STRANGER), ([], ALICE)])
def test_a_key_that_is_not_listed_is_refused_even_if_it_signs_correctly(
    serve: Serve, allowed: list[str], who: KeyPair, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), serve(signature_keys=allowed, require_auth=True).websocket() as client:
        answer = ask(client, "authenticate", [who.public, who.der(nonce_of(client, who.public))])

    (record,) = [r for r in caplog.records if r.message == "rpc.token_refused"]
    assert "may not authenticate" in refusal(answer)[1]
    assert vars(record)["peer"] == "127.0.0.1"


@pytest.mark.usefixtures("patient_attempts")
def test_wrong_signatures_count_like_wrong_tokens(serve: Serve) -> None:
    with serve().websocket() as client:
        *answers, blocked = [
            ask(client, "authenticate", [ALICE.public, "00" * 64, nonce_of(client, ALICE.public)])
            for _ in range(auth.FREE_ATTEMPTS + 1)
        ]
        good = ask(client, "authenticate", [ALICE.public, ALICE.der(nonce_of(client, ALICE.public))])

    assert {refusal(answer)[0] for answer in answers} == {ErrorCode.UNAUTHENTICATED}
    assert refusal(blocked)[0] == ErrorCode.TOO_MANY_ATTEMPTS
    assert good["result"] is True


def test_the_number_of_nonces_of_an_address_is_limited(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "NONCE_EVERY_S", 3600.0)
    many = auth.FREE_NONCES + 20
    batch = b"[" + b",".join(request("fetch_nonce", [STRANGER.public], n) for n in range(many)) + b"]"
    with serve().websocket() as client:
        client.send(batch.decode())
        answers = orjson.loads(client.recv(GENEROUS_S))

    given = [answer for answer in answers if "result" in answer]
    refused = {answer["error"]["code"] for answer in answers if "error" in answer}
    assert len(given) == auth.FREE_NONCES
    assert refused == {ErrorCode.TOO_MANY_ATTEMPTS}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, ErrorCode.UNAUTHENTICATED),
        ({"pubkey": ALICE.public}, ErrorCode.UNAUTHENTICATED),
        ({"signature": "00"}, ErrorCode.UNAUTHENTICATED),
        ({"token": "t", "pubkey": ALICE.public, "signature": "00"}, ErrorCode.UNAUTHENTICATED),
        ({"token": "t", "nonce": "00" * 32}, ErrorCode.UNAUTHENTICATED),
        ({"pubkey": "nonsense", "signature": "00"}, ErrorCode.INVALID_PARAMS),
        ({"pubkey": ALICE.public, "signature": "zz", "nonce": "00" * 32}, ErrorCode.UNAUTHENTICATED),
        ({"pubkey": ALICE.public, "signature": "00", "nonce": "é"}, ErrorCode.INVALID_PARAMS),
        ({"pubkey": ALICE.public, "signature": 7}, ErrorCode.INVALID_PARAMS),
    ],
)
def test_an_incomplete_authentication_is_refused(serve: Serve, params: dict[str, Any], code: ErrorCode) -> None:
    with serve().websocket() as client:
        answer = ask(client, "authenticate", params)
        still = ask(client, "version")

    assert answer["error"]["code"] == code
    assert still["error"]["code"] == ErrorCode.UNAUTHENTICATED


def test_a_post_cannot_authenticate_and_the_error_says_what_to_do(serve: Serve) -> None:
    server = serve(tokens=token_settings())
    anonymous = curl(server.url(), body=request("fetch_nonce", [ALICE.public]))
    known = [
        curl(server.url(), *bearer("admin"), body=request(method, params)).json["error"]
        for method, params in (
            ("fetch_nonce", [ALICE.public]),
            ("authenticate", [ALICE.public, "00"]),
            ("authenticate", [TOKENS["admin"]]),
        )
    ]

    assert (anonymous.status, anonymous.code) == (401, ErrorCode.UNAUTHENTICATED)
    assert "over a WebSocket" in anonymous.json["error"]["data"]["hint"]
    assert [error["data"]["kind"] for error in known] == ["no_session"] * 3
    assert "over a WebSocket" in known[0]["data"]["hint"]


def test_requests_may_follow_a_signature_without_waiting_for_its_answer(serve: Serve) -> None:
    with serve().websocket() as client:
        nonce = nonce_of(client, ALICE.public)
        client.send(request("authenticate", [ALICE.public, ALICE.der(nonce)], 1).decode())
        client.send(request("whoami", None, 2).decode())
        answers = [orjson.loads(client.recv(GENEROUS_S)) for _ in range(2)]

    assert answers[0]["result"] is True
    assert answers[1]["result"]["name"] == ALICE.public


def test_an_unlisted_key_is_refused_on_the_unix_socket_too(client: RawClient) -> None:
    before = client.call("whoami")
    nonce = client.call("fetch_nonce", [ALICE.public])
    refused = client.fail("authenticate", [ALICE.public, ALICE.der(nonce)])

    assert (before["name"], before["scope"]) == (None, "admin")
    assert "may not authenticate" in refused["message"]
