"""Tokens, attempts, and what a session admits and binds, without a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hero_client import AsyncSupervisor
from hero_config.model.settings import RpcSettings
from hero_job import Job
from hero_job.client.async_store import AsyncStore
from hero_job.operations.credentials import StoredToken, token_hash
from hero_job.operations.operations import Operations
from hero_supervisor.rpc.auth import scopes, session
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.auth.scopes import Attempts, Holder, Scope, Tokens
from hero_supervisor.rpc.auth.session import RpcSession
from hero_supervisor.rpc.methods.jobs import ANONYMOUS
from hero_supervisor.rpc.protocol.wire import ErrorCode, Request, RpcError
from tests.supervisor.rpc.raw_client import job as job_fields

SETTINGS = RpcSettings.model_validate(
    {
        "tokens": [
            {"name": "reader", "scope": "read", "sha256": token_hash("r")},
            {"name": "u", "scope": "user", "sha256": token_hash("u")},
        ]
    }
)


def stored(name: str, token: str, scope: str = "admin", expires_s: float | None = None) -> StoredToken:
    expires_at = None if expires_s is None else datetime.fromtimestamp(expires_s, UTC).isoformat()
    created_at = datetime.fromtimestamp(0, UTC).isoformat()
    return StoredToken(name=name, scope=scope, sha256=token_hash(token), created_at=created_at, expires_at=expires_at)


# Tokens


def test_a_token_is_known_by_its_hash_with_the_name_and_the_scope_of_its_holder() -> None:
    tokens = Tokens(SETTINGS.tokens)
    holder = tokens.holder("u", 0.0)
    assert holder is not None
    assert (holder.name, holder.scope, holder.expires_s) == ("u", Scope.USER, None)
    assert tokens.holder("x", 0.0) is None
    assert tokens.holder("", 0.0) is None
    assert token_hash("u") not in repr(holder)


def test_the_tokens_of_the_store_come_beside_the_configured_ones_and_go_with_the_next_read() -> None:
    tokens = Tokens(SETTINGS.tokens)
    tokens.replace_stored([stored("s", "t")])
    holder = tokens.holder("t", 0.0)
    assert holder is not None
    assert holder.scope is Scope.ADMIN
    assert tokens.counts(holder, 0.0)
    assert tokens.holder("r", 0.0) is not None
    tokens.replace_stored([stored("s", "t", scope="read")])
    assert not tokens.counts(holder, 0.0), "it has another scope now"
    tokens.replace_stored([])
    assert tokens.holder("t", 0.0) is None
    assert tokens.holder("r", 0.0) is not None


def test_a_token_counts_until_the_moment_of_its_expiry() -> None:
    tokens = Tokens([])
    tokens.replace_stored([stored("s", "t", expires_s=100.0)])
    holder = tokens.holder("t", 99.0)
    assert holder is not None
    assert tokens.counts(holder, 99.0)
    assert not tokens.counts(holder, 100.0)
    assert tokens.holder("t", 100.0) is None
    assert not Holder(name="n", scope=Scope.READ, sha256="").expired(1e12)


# Attempts


def test_a_peer_is_blocked_after_the_free_attempts_until_time_has_passed() -> None:
    attempts = Attempts(3, 10.0)
    for _ in range(3):
        assert attempts.blocked_s("p", 100.0) == 0
        attempts.count("p", 100.0)
    assert attempts.blocked_s("p", 100.0) == 10
    assert attempts.blocked_s("p", 104.0) == 6
    assert attempts.blocked_s("p", 110.0) == 0
    assert attempts.blocked_s("another", 100.0) == 0
    attempts.count("p", 110.0)
    assert attempts.blocked_s("p", 110.0) == 10
    assert attempts.blocked_s("p", 1000.0) == 0
    attempts.count("p", 1000.0)
    assert attempts.blocked_s("p", 1000.0) == 0, "time has forgiven all of them"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("alice", "alice", True),
        ("alice", "bob", False),
    ],
)
def test_attempts_are_counted_by_address_and_by_network_of_ipv6(one: str, other: str, same: bool) -> None:
    attempts = Attempts(1, 10.0)
    attempts.count(one, 0.0)
    assert (attempts.blocked_s(other, 0.0) > 0) == same


def test_the_peers_that_were_counted_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "MAX_PEERS", 2)
    attempts = Attempts(1, 1000.0)
    for peer in ("a", "b", "a", "c"):
        attempts.count(peer, 0.0)
    assert attempts.blocked_s("a", 0.0) > 0
    assert attempts.blocked_s("b", 0.0) == 0
    assert attempts.blocked_s("c", 0.0) > 0


# Sessions


@pytest.fixture
def make() -> Callable[..., RpcSession]:
    """Return a maker of sessions that nobody has authenticated."""

    def make(context_id: str | None = None, *, open_to_all: bool = False, lasting: bool = False) -> RpcSession:
        supervisor = AsyncSupervisor(AsyncStore("unix:///nowhere"), Operations("n"))
        gate = Gate(SETTINGS, supervisor, open_to_all=open_to_all)
        return RpcSession(gate, "10.0.0.1", context_id, lasting=lasting)

    return make


def request(method: str, params: Any = ()) -> Request:
    return Request(1, method, list(params) if isinstance(params, tuple) else params, False)


def code_of(one: RpcSession, method: str, params: Any = ()) -> ErrorCode | None:
    try:
        one.admit(request(method, params))
    except RpcError as e:
        return e.code
    return None


def test_a_session_admits_what_its_scope_permits(make: Callable[..., RpcSession]) -> None:
    one = make()
    assert code_of(one, "authenticate") is None
    assert code_of(one, "version") is ErrorCode.UNAUTHENTICATED
    for scope, allowed in (
        (Scope.READ, {"version"}),
        (Scope.USER, {"version", "stop_job"}),
        (Scope.ADMIN, {"version", "stop_job", "unknown"}),
    ):
        one.become("n", scope, "token")
        for method in ("version", "stop_job", "unknown"):
            assert code_of(one, method) is (None if method in allowed else ErrorCode.FORBIDDEN)
    assert code_of(make(open_to_all=True), "unknown") is None


@pytest.mark.parametrize("params", [{"topic": "audit"}, ("audit",)])
def test_only_an_administrator_follows_the_record_of_changes(make: Callable[..., RpcSession], params: Any) -> None:
    one = make()
    one.become("n", Scope.USER, "token")
    assert code_of(one, "hero_subscribe", params) is ErrorCode.FORBIDDEN
    assert code_of(one, "hero_subscribe", {"topic": "jobs"}) is None
    assert code_of(one, "hero_subscribe") is None
    one.become("n", Scope.ADMIN, "token")
    assert code_of(one, "hero_subscribe", params) is None


def test_what_is_fixed_depends_on_the_path_the_scope_and_how_the_client_has_authenticated(
    make: Callable[..., RpcSession],
) -> None:
    free, bound = make(), make("x")
    assert (free.bindings, bound.bindings) == ({}, {"context_id": "x"})
    for one, context in ((free, {}), (bound, {"context_id": "x"})):
        one.become("n", Scope.USER, "token")
        assert one.bindings == {"caller_id": "n"} | context
        assert one.owner == "n"
        one.become("n", Scope.ADMIN, "token")
        assert one.bindings == context
        assert one.owner is None
        one.become("n", Scope.ADMIN, "signature")
        assert one.bindings == {"caller_id": "n"} | context, "who signs is the caller"


@pytest.mark.parametrize(
    ("method", "params", "place"),
    [
        ("create_job", {"script": "1"}, lambda params: params),
        ("run_job", {"script": "1"}, lambda params: params),
        ("jobs.create", ({"job": {"payload": "1"}},), lambda params: params[0]["job"]),
        ("create_jobs", {"jobs": [{"a": [{"script": "1"}]}]}, lambda params: params["jobs"][0]["a"][0]),
    ],
)
def test_the_fields_that_are_fixed_are_filled_in_and_others_are_refused(
    make: Callable[..., RpcSession], method: str, params: Any, place: Callable[[Any], dict[str, Any]]
) -> None:
    one = make("x")
    one.become("n", Scope.USER, "token")
    asked = request(method, params)
    job = place(asked.params)
    one.admit(asked)
    assert (job["caller_id"], job["context_id"]) == ("n", "x")
    one.admit(asked)  # the right ones may be given
    for name, value in (("caller_id", "other"), ("callerId", "other"), ("context_id", "y"), ("contextId", "y")):
        before = dict(job)
        job[name] = value
        with pytest.raises(RpcError) as refused:
            one.admit(asked)
        assert refused.value.code is ErrorCode.FORBIDDEN
        job.clear()
        job.update(before)
    job.pop("caller_id")
    job["callerId"] = "n"
    one.admit(asked)
    assert "caller_id" not in job


def test_what_is_no_job_is_left_as_it_is(make: Callable[..., RpcSession]) -> None:
    one = make("x")
    one.become("n", Scope.USER, "token")
    for method, params in (("stop_job", {"job_id": "j"}), ("list_jobs", {"filter": {"script": "1"}})):
        asked = request(method, {**params})
        one.admit(asked)
        assert asked.params == params


def test_a_job_that_names_nobody_becomes_one_of_the_connection(make: Callable[..., RpcSession]) -> None:
    one = make("x")
    one.become("n", Scope.USER, "token")
    anonymous = Job.from_fields({**job_fields(), **ANONYMOUS})
    assert one.bound(anonymous) == {"caller_id": "n", "context_id": "x"}
    mine = Job.from_fields({**job_fields(), "caller_id": "n", "context_id": "x"})
    assert one.bound(mine) == {}
    with pytest.raises(RpcError):
        one.bound(Job.from_fields({**job_fields(), "caller_id": "other", "context_id": "x"}))


def test_a_session_ends_when_its_token_no_longer_counts(
    make: Callable[..., RpcSession], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        one = make(lasting=True)
        ended: list[str] = []
        one.on_end = lambda: ended.append("ended")
        one.gate.tokens.replace_stored([stored("s", "t")])
        await one.authenticate("t")
        assert (one.name, one.scope, one.by) == ("s", Scope.ADMIN, "token")
        one.check()
        assert ended == []
        one.gate.tokens.replace_stored([])
        one.gate._check_sessions()
        assert ended == ["ended"]
        assert (one.name, one.scope, one.by) == (None, Scope.NONE, None)
        assert code_of(one, "version") is ErrorCode.UNAUTHENTICATED
        one.check()
        assert ended == ["ended"], "it ends once"

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert [record.message for record in caplog.records].count("rpc.session_ended") == 1


def test_a_token_that_expires_ends_its_session_with_the_next_request(make: Callable[..., RpcSession]) -> None:
    async def main() -> None:
        one = make()
        one.gate.tokens.replace_stored([stored("s", "t", expires_s=4e9)])
        await one.authenticate("t")
        assert code_of(one, "version") is None
        one.gate.tokens.replace_stored([stored("s", "t", expires_s=1.0)])
        assert code_of(one, "version") is ErrorCode.UNAUTHENTICATED

    asyncio.run(main())


def test_who_signs_after_a_token_keeps_no_right_of_that_token_and_loses_none_with_it(
    make: Callable[..., RpcSession],
) -> None:
    async def main() -> None:
        one = make(lasting=True)
        one.gate.tokens.replace_stored([stored("s", "t")])
        await one.authenticate("t")
        one.become("key", Scope.USER, "signature")
        one.gate.tokens.replace_stored([])
        one.gate._check_sessions()
        assert (one.name, one.scope, one.by) == ("key", Scope.USER, "signature")

    asyncio.run(main())


def test_a_session_for_one_request_has_the_peer_and_the_context_and_nothing_else(
    make: Callable[..., RpcSession],
) -> None:
    one = make("x", lasting=True)
    one.facts = {"pid": 7}
    one.become("n", Scope.ADMIN, "token")
    single = one.for_one_request()
    assert (single.peer, single.context_id, single.facts, single.lasting) == ("10.0.0.1", "x", {"pid": 7}, False)
    assert (single.name, single.scope) == (None, Scope.NONE)


def test_a_session_that_the_task_has_entered_is_the_current_one(make: Callable[..., RpcSession]) -> None:
    async def main() -> None:
        one = make()
        session.enter(one)
        assert session.current() is one

    asyncio.run(main())


def test_only_so_many_nonces_are_given_to_an_address(make: Callable[..., RpcSession]) -> None:
    gate = make().gate
    for _ in range(scopes.FREE_NONCES):
        gate.count_nonce("10.0.0.1")
    with pytest.raises(RpcError) as refused:
        gate.count_nonce("10.0.0.1")
    assert refused.value.code is ErrorCode.TOO_MANY_ATTEMPTS
    gate.count_nonce("10.0.0.2")


def test_who_was_wrong_too_often_is_told_to_wait_and_not_logged(
    make: Callable[..., RpcSession], caplog: pytest.LogCaptureFixture, patient_attempts: None
) -> None:
    gate = make().gate
    with caplog.at_level(logging.WARNING):
        codes = [gate.wrong("10.0.0.1", "no").code for _ in range(scopes.FREE_ATTEMPTS + 2)]
    assert codes == [ErrorCode.UNAUTHENTICATED] * scopes.FREE_ATTEMPTS + [ErrorCode.TOO_MANY_ATTEMPTS] * 2
    assert len(caplog.records) == scopes.FREE_ATTEMPTS
    assert gate.wrong("10.0.0.2", "no").code is ErrorCode.UNAUTHENTICATED
