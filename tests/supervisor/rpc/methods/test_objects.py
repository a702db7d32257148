"""The methods on objects: the same rights as in scripts, on every transport."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc import tcp_client
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import token_settings
from tests.supervisor.rpc.transports import Client
from tests.valkey_server import ValkeyServer

NOTE = {"type": "hero.note", "context_id": "alice"}


def test_an_object_is_made_stored_changed_found_and_deleted(any_client: Client) -> None:
    made = any_client.call("new_object", NOTE)
    one = {**NOTE, "sid": made["sid"]}
    assert made["fields"]["title"] == ""
    assert any_client.call("set_object", {**one, "fields": {"title": "first"}, "version": 0})["version"] == 1
    assert any_client.call("set_object", {**one, "fields": {"title": "second word"}, "version": 1})["version"] == 2

    stored = any_client.call("get_object", one)
    assert (stored["version"], stored["fields"]["title"], stored["written_by"]) == (2, "second word", None)
    assert any_client.call("find_objects", {**NOTE, "query": "word"})["sids"] == [made["sid"]]
    assert any_client.call("list_objects", NOTE)["sids"] == [made["sid"]]
    assert [version["version"] for version in any_client.call("get_object_history", one)] == [2, 1]
    assert any_client.call("list_object_types") == [{"context_id": "alice", "type": "hero.note", "count": 1}]
    error = any_client.fail("set_object", {**one, "fields": {}, "version": 1})
    assert "it has version 2 now" in error["message"]
    any_client.call("delete_object", {**one, "version": 2})
    assert "object not found" in any_client.fail("get_object", one)["message"]


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("set_object", {**NOTE, "sid": "a1", "fields": {"title2": ""}}, "error: Field 'title2' is unknown"),
        ("set_object", {**NOTE, "sid": "A1", "fields": {}}, "invalid name"),
        ("new_object", {"type": "hero.nothing", "context_id": "c"}, "there is no type 'nothing'"),
        ("new_object", {"type": "other.note", "context_id": "c"}, "has the namespace 'other'"),
        ("get_object", {"type": "note", "sid": "a1", "context_id": "c"}, "'note' is no type"),
        ("get_object", {"type": "hero.note", "sid": "a1"}, "context_id is missing"),
        ("find_objects", {**NOTE, "query": "created:x"}, "index error: the field 'created' is not indexed"),
        ("list_objects", {**NOTE, "limit": 1001}, "less than or equal to 1000"),
        ("list_objects", {**NOTE, "cursor": "x"}, "the cursor belongs to no page"),
        ("change_object_rights", ["give", "read", "bob", "alice"], "'give' is no change"),
        ("change_object_rights", ["grant", "own", "bob", "alice"], "'own' is no right"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(client: RawClient, method: str, params: Any, text: str) -> None:
    error = client.fail(method, params)

    assert error["code"] == ErrorCode.INVALID_PARAMS
    assert text in error["message"]


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    yield server
    server.stop()


def call(server: RunningServer, name: str, method: str, params: Any) -> Any:
    return tcp_client.call(server, name, method, params)["result"]


def refused(server: RunningServer, name: str, method: str, params: Any) -> dict[str, Any]:
    error: dict[str, Any] = tcp_client.call(server, name, method, params)["error"]
    return error


#: Every method on the objects of one context; `alice` owns it.
READING: list[tuple[str, dict[str, Any]]] = [
    ("get_object", {**NOTE, "sid": "a1"}),
    ("get_object_history", {**NOTE, "sid": "a1"}),
]
LISTING: list[tuple[str, dict[str, Any]]] = [
    ("list_objects", NOTE),
    ("find_objects", {**NOTE, "query": "secret"}),
    ("list_object_types", {"context_id": "alice"}),
]
WRITING: list[tuple[str, dict[str, Any]]] = [
    ("set_object", {**NOTE, "sid": "a1", "fields": {"title": "theirs"}}),
    ("set_object", {**NOTE, "sid": "zz", "fields": {"title": "theirs"}, "version": 0}),
    ("delete_object", {**NOTE, "sid": "a1"}),
    ("change_object_rights", {"context_id": "alice", "change": "grant", "to": "admin", "member": "bob"}),
    ("get_object_rights", {"context_id": "alice"}),
]


def test_a_user_reaches_only_contexts_whose_lists_allow_it(server: RunningServer) -> None:
    """The holder of a token of scope user is the caller `bob`."""
    call(server, "admin", "set_object", {**NOTE, "sid": "a1", "fields": {"title": "secret"}})
    for method, params in READING:
        assert refused(server, "bob", method, params)["code"] == ErrorCode.OBJECT_NOT_FOUND
    for method, params in LISTING:
        found = call(server, "bob", method, params)
        assert found in ([], {"sids": [], "cursor": ""})
    for method, params in WRITING:
        error = refused(server, "bob", method, params)
        assert error["code"] == ErrorCode.FORBIDDEN, method
        assert error["message"].startswith("Insufficient authorization: bob may not ")
    # Its own context is the one that it gets if it names none.
    assert (
        call(server, "bob", "set_object", {"type": "hero.note", "sid": "b1", "fields": {"title": "own"}})["version"]
        == 1
    )
    assert (
        call(server, "bob", "get_object", {"type": "hero.note", "sid": "b1", "context_id": "bob"})["written_by"]
        == "bob"
    )
    assert call(server, "bob", "list_object_types", {}) == [{"context_id": "bob", "type": "hero.note", "count": 1}]

    call(
        server,
        "admin",
        "change_object_rights",
        {"context_id": "alice", "change": "grant", "to": "read", "member": "bob"},
    )
    assert call(server, "bob", "get_object", {**NOTE, "sid": "a1"})["fields"]["title"] == "secret"
    assert refused(server, "bob", *WRITING[0])["code"] == ErrorCode.FORBIDDEN
    call(
        server,
        "admin",
        "change_object_rights",
        {"context_id": "alice", "change": "grant", "to": "write", "member": "bob"},
    )
    assert call(server, "bob", *WRITING[0])["version"] == 2
    assert call(server, "admin", "get_object_history", {**NOTE, "sid": "a1"})[0]["written_by"] == "bob"


def test_rights_of_the_configuration_and_signed_contexts_count_for_objects(
    valkey: ValkeyServer, namespace: str
) -> None:
    rights = [
        {"script_types": ["sal"], "callers": ["*"]},
        {"context_id": "alice", "script_types": ["osis"], "callers": ["bob"]},
    ]
    server = RunningServer(
        valkey.url, namespace, tokens=token_settings(), rights=rights, require_signatures=["signed"]
    ).start()
    try:
        own = {"type": "hero.note", "sid": "b1"}
        assert "no right to objects in context 'bob'" in refused(server, "bob", "get_object", own)["message"]
        assert refused(server, "bob", "get_object", {**NOTE, "sid": "a1"})["code"] == ErrorCode.OBJECT_NOT_FOUND
        signed = {"type": "hero.note", "sid": "a1", "context_id": "signed", "fields": {}}
        assert refused(server, "admin", "set_object", signed)["code"] == ErrorCode.SIGNATURE_REFUSED
        assert call(server, "admin", "list_objects", {"type": "hero.note", "context_id": "signed"})["sids"] == []
    finally:
        server.stop()


def test_an_administrator_sees_the_types_of_more_contexts_than_one_page_of_the_store_has(
    any_client: Client, store: Store, namespace: str
) -> None:
    contexts = [f"context{number:04}" for number in range(1_200)]
    keys = Keys(namespace)
    entries = [part for context in contexts for part in (0, f"{context} hero.note")]
    # A page of the store may have an entry that nobody can read, or a key of another type.
    store.run(Op(("ZADD", keys.object_types, *entries, 0, "junk", 0, "context0007 hero.other"), as_is))
    store.run(Op(("SET", keys.objects("hero.other", "context0007")[0], "no hash"), as_is))
    for context in contexts:
        store.run(Op(("HSET", keys.objects("hero.note", context)[0], "a1", "{}"), as_is))

    assert any_client.call("list_object_types") == [
        {"context_id": context, "type": "hero.note", "count": 1} for context in contexts
    ]


def test_a_path_binds_a_connection_to_its_context(web_server: RunningServer) -> None:
    with web_server.websocket("/alice") as socket:
        import orjson

        def ask_socket(method: str, params: dict[str, Any]) -> Any:
            socket.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).decode())
            return orjson.loads(socket.recv())

        assert ask_socket("set_object", {"type": "hero.note", "sid": "a1", "fields": {}})["result"]["version"] == 1
        other = ask_socket("get_object", {"type": "hero.note", "sid": "a1", "context_id": "bob"})
        assert other["error"]["code"] == ErrorCode.FORBIDDEN
        types = ask_socket("list_object_types", {})["result"]
        assert types == [{"context_id": "alice", "type": "hero.note", "count": 1}]


def test_a_script_and_the_rpc_use_the_same_objects(service: Client, tmp_path: Path) -> None:
    owner = {"caller_id": "o-wner", "context_id": "o-wner", "script_type": "OSIS"}
    sid = service.call("run_job", {"job": {**owner, "script": 'save_note(new_note().title("from a script"))'}})
    one = {"type": "hero.note", "sid": sid, "context_id": "o-wner"}

    stored = service.call("get_object", one)
    assert (stored["fields"]["title"], stored["written_by"]) == ("from a script", "o-wner")
    service.call("set_object", {**one, "fields": {"title": "from the RPC"}, "version": 1})
    assert service.call("run_job", {"job": {**owner, "script": f'get_note("{sid}").title'}}) == "from the RPC"
    service.call("delete_object", one)
