"""The end of a job that an actor of another program ran is seen by every API, however that actor tells of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import orjson
import pytest

from hero_client import Supervisor
from hero_job import JobFailed
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.transports import job

#: What an actor writes to the hash -> the output that all APIs report; None for an error.
HASHES: Mapping[str, tuple[dict[str, str], str | None]] = {
    "finished": ({"status": "finished", "output": "42"}, "42"),
    "Finished": ({"status": "Finished", "output": "42"}, "42"),
    "completed": ({"status": "completed", "output": "42"}, "42"),
    "error": ({"status": "error", "error": "it failed"}, None),
    "Failed": ({"status": "Failed", "error": "it failed"}, None),
}
#: What it pushes as its reply -> the same.
REPLIES: Mapping[str, tuple[str, str | None]] = {
    "text": ("42", "42"),
    "output": ('{"output":"42"}', "42"),
    "result": ('{"result":42}', "42"),
    "success": ('{"success":"42"}', "42"),
    "ours": ('{"job_id":"x","status":"finished","output":"42","error":null,"error_kind":null}', "42"),
    "unknown status": ('{"status":"done","output":"42"}', "42"),
    "serde": ('{"status":"Completed","output":"42","error":null}', "42"),
    "error": ('{"error":"it failed"}', None),
    "status error": ('{"status":"error","error":"it failed"}', None),
}
#: Ways to tell of an end: the parts in their order.
WAYS: Mapping[str, list[tuple[str, str]]] = {
    **{f"hash {name}": [("hash", name)] for name in HASHES},
    **{f"reply {name}": [("reply", name)] for name in REPLIES},
    **{
        f"{first[0]} then {second[0]}, {first[1]}": [first, second]
        for first, second in [
            (("hash", "finished"), ("reply", "output")),
            (("reply", "text"), ("hash", "finished")),
            (("reply", "error"), ("hash", "error")),
        ]
    },
}
#: How the job came to be: by us, or written and pushed by another program.
PRODUCERS = ("ours", "foreign")

Look = Callable[[RawClient, Supervisor, str], Any]


def end_as(store: Store, operations: Operations, job_id: str, way: str) -> str | None:
    """Be the actor: take the id and tell of the end. Returns the output that everybody should see."""
    store.run(Op(("LPOP", operations.keys.work("sal")), as_is))
    output: str | None = None
    for kind, name in WAYS[way]:
        if kind == "hash":
            fields, output = HASHES[name]
            flat = [part for pair in fields.items() for part in pair]
            store.run(Op(("HSET", operations.keys.job(job_id), *flat), as_is))
        else:
            text, output = REPLIES[name]
            store.run(Op(("RPUSH", operations.keys.reply(job_id), text), as_is))
    return output


def put(client: RawClient, store: Store, operations: Operations, producer: str, job_id: str) -> None:
    if producer == "ours":
        client.call("create_job", [job(id=job_id)])
        client.call("start_job", [job_id])
        return
    fields = {
        "id": job_id,
        "caller_id": "a",
        "context_id": "b",
        "script": "1",
        "script_type": "SAL",
        "status": "dispatched",
    }
    flat = [part for pair in fields.items() for part in pair]
    store.run(Op(("HSET", operations.keys.job(job_id), *flat), as_is))
    store.run(Op(("LPUSH", operations.keys.work("sal"), job_id), as_is))


def by_rpc_wait(client: RawClient, _supervisor: Supervisor, job_id: str) -> Any:
    (end,) = client.call("wait_jobs", {"job_ids": [job_id], "timeout": 60})["jobs"]
    return end["output"] if end["error"] is None else None


def by_rpc_result(client: RawClient, _supervisor: Supervisor, job_id: str) -> Any:
    return eventually(lambda: client.call("job.result", {"job_id": job_id})).get("success")


def by_rpc_output(client: RawClient, _supervisor: Supervisor, job_id: str) -> Any:
    answer = client.ask("get_job_output", [job_id])
    return answer.get("result")


def by_rpc_job(client: RawClient, _supervisor: Supervisor, job_id: str) -> Any:
    record = client.call("get_job", [job_id])
    assert record["status"] in ("finished", "error"), record
    return record["output"]


def by_rpc_status(client: RawClient, supervisor: Supervisor, job_id: str) -> Any:
    status = client.call("get_job_status", [job_id])
    return by_rpc_output(client, supervisor, job_id) if status == "finished" else None if status == "error" else status


def by_python_wait(_client: RawClient, supervisor: Supervisor, job_id: str) -> Any:
    try:
        return supervisor.await_result(job_id, 60)
    except JobFailed as e:
        assert "it failed" in str(e)
        return None


def by_python_output(_client: RawClient, supervisor: Supervisor, job_id: str) -> Any:
    try:
        return supervisor.get_job_output(job_id)
    except JobFailed:
        return None


LOOKS: tuple[Look, ...] = (
    by_rpc_wait, by_rpc_result, by_rpc_output, by_rpc_job, by_rpc_status, by_python_wait, by_python_output,
)  # fmt: skip


@pytest.mark.parametrize(("way", "producer"), list(product(WAYS, PRODUCERS)))
def test_an_end_is_seen_by_every_api(
    client: RawClient, store: Store, operations: Operations, way: str, producer: str
) -> None:
    supervisor = Supervisor(store, operations)
    for look in LOOKS:  # each at a job that nobody else has looked at
        put(client, store, operations, producer, look.__name__)
        expected = end_as(store, operations, look.__name__, way)
        assert look(client, supervisor, look.__name__) == expected, look.__name__


@pytest.mark.parametrize("way", ["hash finished", "reply text", "reply ours", "hash then reply, finished"])
def test_a_call_that_waits_already_sees_the_end(
    unix_server: RunningServer, store: Store, operations: Operations, way: str
) -> None:
    answers: list[Any] = []

    def run() -> None:
        with RawClient(unix_server.path) as other:
            answers.append(other.call("run_job", {"job": job(id="j", timeout=60)}))

    running = threading.Thread(target=run)
    running.start()
    eventually(lambda: store.run(Op(("LLEN", operations.keys.work("sal")), int)))
    end_as(store, operations, "j", way)
    running.join()
    assert answers == ["42"]


def test_the_reply_of_a_former_life_ends_no_job(client: RawClient, store: Store, operations: Operations) -> None:
    reply = orjson.dumps({"job_id": "j", "status": "finished", "output": "old", "error": None, "error_kind": None})
    put(client, store, operations, "foreign", "j")
    store.run(Op(("RPUSH", operations.keys.reply("j"), reply), as_is))
    store.run(Op(("EXPIRE", operations.keys.reply("j"), 300), as_is))
    assert client.call("get_job_status", ["j"]) == "dispatched"


def test_a_job_that_a_lane_holds_is_not_ended_by_a_reply(
    client: RawClient, store: Store, operations: Operations
) -> None:
    put(client, store, operations, "ours", "j")
    store.run(Op(("HSET", operations.keys.job("j"), "status", "started", "owner", "sal-1/0"), as_is))
    store.run(Op(("RPUSH", operations.keys.reply("j"), "42"), as_is))
    assert client.call("get_job_status", ["j"]) == "started"
