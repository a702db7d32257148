"""Subscriptions over the Unix socket and over WebSocket: what is sent, in which order, and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_job import Job
from hero_job.client.store import Store
from hero_job.model.job import ScriptType
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.job.lane import Lane
from tests.supervisor.rpc.conftest import RunningServer
from tests.supervisor.rpc.followers import Client, subscription_tasks, unix_client, web_client
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.web_server import RunningWeb, curl
from tests.valkey_server import ValkeyServer

Server = RunningServer | RunningWeb
MAX_SUBSCRIPTIONS = 4


@pytest.fixture(params=["unix", "websocket"])
def both(request: pytest.FixtureRequest, valkey: ValkeyServer, namespace: str, tmp_path: Path) -> Iterator[Server]:
    """A server of each transport."""
    settings: dict[str, Any] = {"max_subscriptions": MAX_SUBSCRIPTIONS}
    server: Server
    if request.param == "unix":
        server = RunningServer(valkey.url, namespace, tmp_path / "s" / "hero.ipc", **settings).start()
    else:
        server = RunningWeb(valkey.url, namespace, **settings).start()
    yield server
    server.stop()


@pytest.fixture
def follower(both: Server) -> Iterator[Client]:
    """A connection to it."""
    with unix_client(both) if isinstance(both, RunningServer) else web_client(both) as client:
        yield client


@pytest.fixture
def lane(store: Store, namespace: str) -> Lane:
    """An actor of one lane, for SAL."""
    return Lane(store, claims(namespace))


def claims(namespace: str, name: str = "sal-1") -> ActorOperations:
    """An incarnation that has not joined."""
    entry = ActorEntry(
        incarnation=f"{name}.here", name=name, script_type=ScriptType.SAL, host="here", pid=1, lanes=1, engine="rhai",
        engine_version="1", group=None, instance=None,
    )  # fmt: skip
    return ActorOperations(entry, namespace, lease_s=60)


def joined(lane: Lane) -> Lane:
    assert lane.store.run(lane.actor.join())
    return lane


def submit(store: Store, operations: Operations, job_id: str, **fields: Any) -> str:
    return store.run(operations.create(Job.from_fields(job(id=job_id, **fields)), start=True))


def moves(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job_id"], event["status"]) for event in told]


def ended(job_id: str) -> Any:
    return lambda event: event.get("job_id") == job_id and event.get("status") == "finished"


# Jobs


def test_a_jobs_whole_life_is_sent(follower: Client, store: Store, operations: Operations, lane: Lane) -> None:
    joined(lane)
    follower.subscribe("jobs")
    submit(store, operations, "a")
    lane.work_off()

    told = follower.until(ended("a"))

    assert moves(told) == [("a", "dispatched"), ("a", "started"), ("a", "finished")]
    assert {(e["event"], e["caller_id"], e["context_id"], e["script_type"]) for e in told} == {
        ("job", "02abc", "02def", "SAL")
    }
    assert all(e["at"].endswith("Z") and "-" in e["cursor"] for e in told)


def test_what_happens_after_the_answer_is_sent_though_it_happens_at_once(
    follower: Client, store: Store, operations: Operations
) -> None:
    subscription = follower.call("hero_subscribe", ["jobs"])
    submit(store, operations, "a")

    first, second = follower.notified(), follower.notified()

    assert first == {"subscription": subscription, "result": first["result"]}
    assert first["result"]["event"] == "following"
    assert second["result"]["job_id"] == "a"


@pytest.mark.parametrize(
    "wanted",
    [
        {"job_ids": ["b", "x"]},
        {"caller_id": "02b"},
        {"context_id": "02b"},
        {"script_type": "osis"},
        {"status": ["stopped"]},
        {"status": ["STOPPED", "error"], "script_type": "OSIS", "caller_id": "02b", "job_ids": ["a", "b"]},
    ],
    ids="+".join,
)
def test_filters_let_only_pass_what_fits(
    follower: Client, store: Store, operations: Operations, wanted: dict[str, Any]
) -> None:
    follower.subscribe("jobs", wanted)
    submit(store, operations, "a")
    submit(store, operations, "b", caller_id="02b", context_id="02b", script_type="OSIS")
    store.run(operations.stop("b"))
    submit(store, operations, "c")

    told = follower.until(lambda event: event["status"] == "stopped")

    assert {event["job_id"] for event in told} == {"b"}


def test_a_client_that_comes_back_with_its_cursor_misses_nothing_and_hears_nothing_twice(
    both: Server, store: Store, operations: Operations
) -> None:
    def connect() -> Any:
        return unix_client(both) if isinstance(both, RunningServer) else web_client(both)

    with connect() as client:
        client.subscribe("jobs")
        submit(store, operations, "seen")
        cursor = client.result()["cursor"]
    missed = [f"m{n}" for n in range(450)]  # more than two pages
    for job_id in missed:
        submit(store, operations, job_id)

    with connect() as client:
        client.subscribe("jobs", {"after": cursor})
        submit(store, operations, "last")
        told = client.until(lambda event: event["job_id"] == "last")

    assert [event["job_id"] for event in told] == [*missed, "last"]


def test_the_empty_cursor_is_the_beginning_of_what_the_store_has(
    follower: Client, store: Store, operations: Operations
) -> None:
    submit(store, operations, "before")
    follower.subscribe("jobs", {"after": ""})

    assert follower.result()["job_id"] == "before"


def test_a_cursor_past_what_the_store_has_is_told_as_a_gap(
    follower: Client, store: Store, operations: Operations
) -> None:
    submit(store, operations, "gone")
    submit(store, operations, "kept")
    store.run(Op(("XTRIM", operations.keys.events, "MAXLEN", 1), int))
    follower.subscribe("jobs", {"after": "1-1"})

    told = follower.until(lambda event: event.get("job_id") == "kept")

    assert [event["event"] for event in told] == ["gap", "job"]


def test_a_job_whose_record_is_gone_is_told_without_it(follower: Client, store: Store, operations: Operations) -> None:
    submit(store, operations, "a")
    store.run(Op(("DEL", operations.keys.job("a")), int))
    follower.subscribe("jobs", {"after": ""})

    event = follower.result()

    assert (event["job_id"], event["caller_id"], event["script_type"]) == ("a", None, None)


# Logs


def write_log(store: Store, lane: Lane, held: Any, *texts: str) -> None:
    assert store.run(lane.actor.write_log(0, held, [("info", text) for text in texts]))


def test_a_log_is_followed_while_the_job_runs_and_ends_with_it(
    follower: Client, store: Store, operations: Operations, lane: Lane
) -> None:
    joined(lane)
    submit(store, operations, "a")
    (held,) = lane.claim()
    write_log(store, lane, held, "one", "two")
    follower.subscribe("logs", {"job_id": "a"})
    assert [follower.result()["text"] for _ in range(2)] == ["one", "two"]

    write_log(store, lane, held, "three")
    third = follower.result()
    write_log(store, lane, held, "four", "five")
    lane.finish(held)
    rest = follower.until(lambda event: event["event"] == "end")

    assert (third["text"], third["level"]) == ("three", "info")
    assert [event.get("text") for event in rest] == ["four", "five", None]
    assert (rest[-1]["job_id"], rest[-1]["status"]) == ("a", "finished")


def test_the_log_of_a_job_that_has_ended_is_sent_whole_and_the_subscription_is_over(
    both: Server, follower: Client, store: Store, operations: Operations, lane: Lane
) -> None:
    joined(lane)
    submit(store, operations, "a")
    (held,) = lane.claim()
    texts = [f"line {n}" for n in range(700)]
    write_log(store, lane, held, *texts)
    lane.finish(held)
    subscription = follower.subscribe("logs", {"job_id": "a"})

    told = follower.until(lambda event: event["event"] == "end")

    assert [event["text"] for event in told[:-1]] == texts
    assert follower.call("hero_unsubscribe", [subscription]) is False
    eventually(lambda: subscription_tasks(both) == [])
    # and from a cursor on
    follower.subscribe("logs", {"job_id": "a", "after": told[-3]["cursor"]})
    assert [event.get("text") for event in follower.until(lambda event: event["event"] == "end")] == ["line 699", None]


def test_lines_that_the_store_has_thrown_away_are_told_as_a_gap(
    follower: Client, store: Store, operations: Operations, lane: Lane
) -> None:
    joined(lane)
    submit(store, operations, "a")
    (held,) = lane.claim()
    write_log(store, lane, held, "first")
    cursor = store.run(operations.log("a"))[0].cursor
    write_log(store, lane, held, *(f"line {n}" for n in range(1100)))
    lane.finish(held)
    follower.subscribe("logs", {"job_id": "a", "after": cursor})

    told = follower.until(lambda event: event["event"] == "end")

    assert [event["event"] for event in told] == ["gap", *["line"] * 1000, "end"]


def test_the_log_of_a_job_that_nobody_knows_is_an_error(both: Server, follower: Client) -> None:
    assert follower.code("hero_subscribe", ["logs", {"job_id": "none"}]) == ErrorCode.JOB_NOT_FOUND
    assert subscription_tasks(both) == []


# Actors


def test_actors_that_join_leave_and_are_lost_are_told(follower: Client, store: Store, namespace: str) -> None:
    follower.subscribe("actors")
    other = claims(namespace, "sal-2")
    recoveries = Recoveries(namespace)
    store.run(claims(namespace).join())
    store.run(claims(namespace).join())  # the answer to the first was lost
    store.run(other.join())
    store.run(other.leave())
    store.run(recoveries.recover("sal-1.here", proven_dead=True))

    told = follower.until(lambda event: event["event"] == "lost")

    assert [(event["event"], event["name"]) for event in told] == [
        ("joined", "sal-1"),
        ("joined", "sal-2"),
        ("left", "sal-2"),
        ("lost", "sal-1"),
    ]
    assert {(event["host"], event["script_type"]) for event in told} == {("here", "SAL")}


def test_actors_are_told_apart_by_name_and_from_a_cursor_on(follower: Client, store: Store, namespace: str) -> None:
    store.run(claims(namespace).join())
    store.run(claims(namespace, "sal-2").join())
    follower.subscribe("actors", {"name": "sal-2", "script_type": "sal", "host": "here", "after": ""})

    event = follower.result()

    assert (event["event"], event["incarnation"]) == ("joined", "sal-2.here")


# Metrics


def test_metrics_come_at_intervals_and_are_those_of_stats(
    follower: Client, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a")
    follower.subscribe("metrics", {"interval_s": 0.5})

    first, second = follower.result(), follower.result()
    stats = follower.call("stats")

    assert first["event"] == "metrics"
    assert first["at"] < second["at"]
    assert first["stats"].keys() == stats.keys()
    assert second["stats"]["queues"] == stats["queues"]
    assert sum(queue["waiting"] for queue in first["stats"]["queues"]) == 1


# Their end


def test_unsubscribing_ends_it_and_a_second_time_says_so(
    both: Server, follower: Client, store: Store, operations: Operations
) -> None:
    one = follower.subscribe("jobs")
    two = follower.subscribe("metrics", {"interval_s": 3600})
    three = follower.subscribe("logs", {"job_id": submit(store, operations, "a")})

    assert [follower.call("hero_unsubscribe", [s]) for s in (one, two, three, three, "none")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert follower.call("hero_unsubscribe", {"subscription": one}) is False
    eventually(lambda: subscription_tasks(both) == [])


def test_a_connection_has_so_many_subscriptions_and_one_that_ends_makes_room(follower: Client) -> None:
    ids = [follower.subscribe("jobs") for _ in range(MAX_SUBSCRIPTIONS)]

    assert len(set(ids)) == MAX_SUBSCRIPTIONS
    assert follower.code("hero_subscribe", ["metrics"]) == ErrorCode.TOO_MANY_SUBSCRIPTIONS
    assert follower.call("hero_unsubscribe", [ids[0]])
    assert follower.subscribe("jobs")


def test_a_client_that_leaves_leaves_nothing_behind(both: Server, store: Store, operations: Operations) -> None:
    submit(store, operations, "a")
    with unix_client(both) if isinstance(both, RunningServer) else web_client(both) as client:
        for topic, params in (("jobs", None), ("logs", {"job_id": "a"}), ("actors", None), ("metrics", None)):
            client.subscribe(topic, params)
        assert subscription_tasks(both)

    eventually(lambda: subscription_tasks(both) == [])


def test_a_server_that_closes_says_so_in_each_subscription(both: Server, follower: Client) -> None:
    ids = {follower.subscribe("jobs"), follower.subscribe("actors")}
    if isinstance(both, RunningWeb):
        both.begin_stop()
    else:
        both.loop.call_soon_threadsafe(both._stop.set)

    last = [follower.notified(), follower.notified()]

    assert {params["subscription"] for params in last} == ids
    assert {params["error"]["code"] for params in last} == {ErrorCode.SHUTTING_DOWN}
    assert follower.follower.read() is None
    assert getattr(follower.follower, "close_code", 1012) == 1012


def test_one_connection_to_the_store_serves_however_many_subscriptions(
    both: Server, store: Store, operations: Operations, valkey: ValkeyServer
) -> None:
    def blocked() -> int:
        clients = str(valkey.command("CLIENT", "LIST"))
        return sum("cmd=xread" in line for line in clients.splitlines())

    submit(store, operations, "a")
    clients = [unix_client(both) if isinstance(both, RunningServer) else web_client(both) for _ in range(10)]
    entered = [client.__enter__() for client in clients]
    try:
        for client in entered:
            client.subscribe("jobs")
            client.subscribe("actors")
            client.subscribe("logs", {"job_id": "a"})
        # One for these, and one that wakes who waits for the end of a job.
        eventually(lambda: 1 <= blocked() <= 2)
        submit(store, operations, "b")
        assert {client.result()["job_id"] for client in entered} == {"b"}
    finally:
        for manager in clients:
            manager.__exit__(None, None, None)


# What is refused


@pytest.mark.parametrize(
    "params",
    [
        [],
        ["weather"],
        ["jobs", {"after": "yesterday"}],
        ["jobs", {"jobs": ["a"]}],
        ["jobs", {"job_ids": []}],
        ["jobs", {"script_type": "COBOL"}],
        ["jobs", {"status": ["lost"]}],
        ["logs"],
        ["metrics", {"interval_s": 0.1}],
        ["metrics", {"interval_s": "1"}],
        ["actors", 1],
    ],
)
def test_what_cannot_be_followed_is_invalid(both: Server, follower: Client, params: Any) -> None:
    assert follower.code("hero_subscribe", params) == ErrorCode.INVALID_PARAMS
    assert subscription_tasks(both) == []


def test_over_http_post_the_error_names_the_transports_that_can(both: Server) -> None:
    over_unix = ["--unix-socket", str(both.path)] if isinstance(both, RunningServer) else []
    url = both.url() if isinstance(both, RunningWeb) else "http://localhost/"

    for method in ("hero_subscribe", "hero_unsubscribe"):
        error = curl(url, *over_unix, body=request(method, ["jobs"])).json["error"]
        assert error["code"] == ErrorCode.PUSH_UNSUPPORTED
        assert error["data"]["transports"] == ["unix", "websocket"]
