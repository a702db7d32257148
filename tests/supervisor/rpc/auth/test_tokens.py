"""Tokens: they identify their holder, wrong ones are refused, and guessing is slow."""

from __future__ import annotations

import logging

import pytest

from hero_config.model.settings import RpcSettings
from hero_supervisor.rpc.auth import scopes as auth
from hero_supervisor.rpc.auth.scopes import Attempts, Tokens
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.auth.conftest import ATTEMPT_EVERY_S
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, Answer, bearer, call, curl, token_settings
from tests.valkey_server import ValkeyServer

VERSION = request("version")


def test_without_authentication_a_client_of_this_host_may_do_everything(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace).start()
    answer = curl(server.url(), body=request("whoami"))
    server.stop()

    assert answer.json["result"] == {"name": None, "scope": "admin", "by": None, "peer": None}


@pytest.mark.parametrize("options", [(), ("-H", "Authorization: Basic YTpi"), ("-H", "Authorization: Bearer")])
def test_a_post_without_a_token_is_refused(token_server: RunningServer, options: tuple[str, ...]) -> None:
    answer = curl(token_server.url(), *options, body=VERSION)

    assert (answer.status, answer.code) == (401, ErrorCode.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_refused_and_the_log_has_the_address_and_not_the_token(
    token_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = curl(token_server.url(), "-H", "Authorization: Bearer wrong-secret", body=VERSION)

    (record,) = [r for r in caplog.records if r.message == "rpc.token_refused"]
    assert (answer.status, vars(record)["peer"]) == (401, "127.0.0.1")
    assert "wrong-secret" not in str([r.__dict__ for r in caplog.records])


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_identifies_its_holder(token_server: RunningServer, name: str) -> None:
    identity = call(token_server, name, "whoami")["result"]

    assert identity == {
        "name": name,
        "scope": {"admin": "admin", "reader": "read"}.get(name, "user"),
        "by": "token",
        "peer": None,
    }


@pytest.mark.usefixtures("patient_attempts")
def test_too_many_wrong_tokens_are_told_to_wait_and_a_good_one_counts_all_the_same(token_server: RunningServer) -> None:
    def wrong() -> Answer:
        return curl(token_server.url(), "-H", "Authorization: Bearer wrong", body=VERSION)

    for _ in range(auth.FREE_ATTEMPTS):
        assert wrong().status == 401

    answer = wrong()
    assert (answer.status, answer.code) == (429, ErrorCode.TOO_MANY_ATTEMPTS)
    assert 0 < int(answer.headers["retry-after"]) <= ATTEMPT_EVERY_S + 1
    assert curl(token_server.url(), *bearer("admin"), body=VERSION).status == 200


def test_each_wrong_attempt_beyond_the_free_ones_costs_a_pause() -> None:
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


def test_memory_for_addresses_is_bounded() -> None:
    attempts = Attempts()
    for i in range(auth.MAX_PEERS * 2):
        attempts.count(f"peer-{i}", 0)

    assert len(attempts._empty_at) == auth.MAX_PEERS


def test_only_the_token_itself_matches_its_hash() -> None:
    tokens = Tokens(RpcSettings.model_validate({"tokens": token_settings()}).tokens)

    holders = [tokens.holder(token, 0) for token in TOKENS.values()]
    assert [holder.name for holder in holders if holder is not None] == list(TOKENS)
    assert tokens.holder("", 0) is None
    assert tokens.holder("\udc80", 0) is None
    assert tokens.holder(token_settings()[0]["sha256"], 0) is None
