"""Jobs that an actor of another program has ended, by its hash or by a reply, as supervisors and waiters see it."""

from __future__ import annotations

import orjson
import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.model.views import Reply
from hero_job.operations import foreign_ends
from hero_job.operations.batches import create_jobs
from hero_job.operations.foreign_ends import end_foreign_jobs, look_again, seen
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit
from tests.valkey_server import ValkeyServer


def write(store: Store, operations: Operations, job_id: str, **fields: str) -> None:
    """Write to the hash of a job as another program does."""
    flat = [part for pair in fields.items() for part in pair]
    store.run(Op(("HSET", operations.keys.job(job_id), *flat), as_is))


def reply(store: Store, operations: Operations, job_id: str, text: str = "42") -> None:
    store.run(Op(("RPUSH", operations.keys.reply(job_id), text), as_is))


def field(store: Store, operations: Operations, job_id: str, name: str) -> str | None:
    found: str | None = store.run(Op(("HGET", operations.keys.job(job_id), name), as_is))
    return found


def expiry_s(store: Store, key: str) -> int:
    return store.run(Op(("TTL", key), int))


def look(store: Store, operations: Operations, *job_ids: str, times: int = 2) -> list[list[str]]:
    """Look as a supervisor does, so often; return which jobs needed no further look, each time."""
    suspects: set[str] = set()
    return [store.drive(end_foreign_jobs(operations, job_ids, suspects)) for _ in range(times)]


def test_a_reply_ends_the_job_with_its_output_and_everything_that_an_end_has(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job)
    reply(store, operations, job_id)
    assert look(store, operations, job_id, times=1) == [[job_id]]
    record = store.run(operations.record(job_id))
    assert (record.status, record.output) == (JobStatus.FINISHED, "42")
    assert record.finished_at is not None
    assert field(store, operations, job_id, "updated_at") == field(store, operations, job_id, "finished_at")
    assert store.run(Op(("LRANGE", operations.keys.reply(job_id), 0, -1), list)) == ["42"], "no second reply"
    assert 0 < expiry_s(store, operations.keys.reply(job_id)) <= DEFAULT_RETENTION.reply_ttl_s
    assert 0 < expiry_s(store, operations.keys.job(job_id)) <= DEFAULT_RETENTION.result_ttl_s
    events: list[tuple[str, list[str]]] = store.run(Op(("XRANGE", operations.keys.events, "-", "+"), as_is))
    moves = [part for entry in events for part in entry[1]]
    assert moves == [job_id, "dispatched", job_id, "started", job_id, "finished"]
    assert look(store, operations, job_id, times=1) == [[job_id]], "it needs no further look"


def test_a_reply_that_tells_of_a_failure_makes_a_dead_letter_with_its_place(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job)
    told = {"status": "error", "error": "no x", "error_kind": "runtime", "line": 3, "column": 7}
    reply(store, operations, job_id, orjson.dumps(told).decode())
    look(store, operations, job_id)
    record = store.run(operations.record(job_id))
    assert (record.status, record.error, record.error_kind) == (JobStatus.ERROR, "no x", "runtime")
    assert field(store, operations, job_id, "error_at") == "3:7"
    assert [letter.job_id for letter in store.run(operations.admin.dead())] == [job_id]
    assert expiry_s(store, operations.keys.job(job_id)) > DEFAULT_RETENTION.result_ttl_s


def test_an_end_in_the_hash_gets_a_reply_at_the_second_look_unless_the_other_program_has_pushed_one(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    silent, tells = submit(store, operations, make_job), submit(store, operations, make_job)
    for job_id in (silent, tells):
        write(store, operations, job_id, status="finished", output="42", finished_at="2026-01-01T00:00:00Z")
    suspects: set[str] = set()
    assert store.drive(end_foreign_jobs(operations, [silent, tells], suspects)) == []
    assert suspects == {silent, tells}
    reply(store, operations, tells, "its own")
    assert store.drive(end_foreign_jobs(operations, [silent, tells], suspects)) == [silent, tells]
    assert suspects == set()
    (pushed,) = store.run(Op(("LRANGE", operations.keys.reply(silent), 0, -1), list))
    assert orjson.loads(pushed)["output"] == "42"
    assert store.run(Op(("LRANGE", operations.keys.reply(tells), 0, -1), list)) == ["its own"]
    assert field(store, operations, silent, "finished_at") == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("by", ["reply", "hash"])
def test_a_job_that_a_lane_holds_is_left_alone(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, by: str
) -> None:
    job_id = submit(store, operations, make_job)
    (held,) = lane.claim()
    if by == "reply":
        reply(store, operations, job_id)
    assert look(store, operations, job_id) == [[job_id], [job_id]]
    assert store.drive(look_again(operations, job_id)) is None
    assert store.run(operations.status(job_id)) is JobStatus.STARTED
    assert lane.finish(held) == []


def test_only_jobs_that_are_open_and_were_not_ended_here_are_looked_at_again(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ended, waits = (submit(store, operations, make_job) for _ in range(2))
    (job,) = lane.claim(1)
    lane.finish(job)
    assert look(store, operations, ended, waits, "unknown") == [[ended, "unknown"]] * 2


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        *((status, True) for status in ("created", "dispatched", "started", "stopping")),
        *((status, False) for status in ("scheduled", "waiting_for_prerequisites")),
    ],
)
def test_a_reply_ends_a_job_that_could_have_been_run(
    store: Store, operations: Operations, make_job: MakeJob, status: str, ends: bool
) -> None:
    job_id = store.run(operations.create(make_job()))
    write(store, operations, job_id, status=status)
    reply(store, operations, job_id)
    look(store, operations, job_id)
    assert store.run(operations.status(job_id)).value == ("finished" if ends else status)
    assert (expiry_s(store, operations.keys.job(job_id)) > 0) == ends


def test_the_reply_of_a_former_life_of_an_id_ends_no_job(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job)
    ours = {"job_id": job_id, "status": "finished", "output": "old", "error": None, "error_kind": None}
    reply(store, operations, job_id, orjson.dumps(ours).decode())
    store.run(Op(("EXPIRE", operations.keys.reply(job_id), 100), int))
    assert look(store, operations, job_id) == [[], []]
    assert store.drive(look_again(operations, job_id)) is None
    store.run(Op(("PERSIST", operations.keys.reply(job_id)), int))
    assert store.drive(look_again(operations, job_id)) is not None, "one that does not expire was pushed by another"


def test_who_waits_for_a_job_sees_its_end_and_ends_it(store: Store, operations: Operations, make_job: MakeJob) -> None:
    job_id = submit(store, operations, make_job)
    assert store.drive(look_again(operations, job_id)) is None
    reply(store, operations, job_id)
    found = store.drive(look_again(operations, job_id))
    assert found == Reply(job_id=job_id, status=JobStatus.FINISHED, output="42")
    assert store.run(operations.status(job_id)) is JobStatus.FINISHED
    assert store.drive(look_again(operations, job_id)) == found


def test_a_reader_sees_a_job_as_it_is_after_an_end_that_only_a_reply_tells_of(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job)
    assert store.drive(seen(operations, job_id, operations.status(job_id))) is JobStatus.DISPATCHED
    assert store.drive(seen(operations, job_id, operations.output(job_id))) is None
    reply(store, operations, job_id)
    assert store.drive(seen(operations, job_id, operations.output(job_id))) == "42"
    assert store.drive(seen(operations, job_id, operations.record(job_id))).status is JobStatus.FINISHED


@pytest.mark.parametrize("adopted", [True, False])
def test_jobs_and_batches_that_wait_for_it_go_on(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, adopted: bool
) -> None:
    if adopted:
        jobs = [make_job(id="first"), make_job(id="second", prerequisites=["first"])]
        store.drive(create_jobs(operations, jobs, batch_id="batch"))
    else:  # another program has written the first job, and named the second one there
        fields = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis", "status": "dispatched"}
        write(store, operations, "first", id="first", **fields)
        write(store, operations, "second", id="second", prerequisites='["first"]', **fields)
        store.run(Op(("HSET", operations.keys.job("second"), "status", "waiting_for_prerequisites"), as_is))
        write(store, operations, "first", dependents='["second"]')
    store.run(Op(("DEL", operations.keys.work("osis")), int))
    reply(store, operations, "first", "out")
    look(store, operations, "first")
    (job,) = lane.claim()
    assert job.id == "second"
    assert job.prerequisites == {"first": "out"}
    lane.finish(job)
    if adopted:
        batch = store.run(operations.batch("batch"))
        assert batch is not None
        assert batch.open == 0


def test_such_an_end_is_counted(store: Store, operations: Operations, make_job: MakeJob) -> None:
    ok, bad = (submit(store, operations, make_job) for _ in range(2))
    reply(store, operations, ok)
    reply(store, operations, bad, '{"error": "x"}')
    look(store, operations, ok, bad)
    counted = {
        name: int(value)
        for key in store.run(Op(("KEYS", f"{operations.keys.prefix}*count*"), list))
        for flat in [store.run(Op(("HGETALL", key), list))]
        for name, value in zip(flat[::2], flat[1::2], strict=True)
    }
    assert sum(value for name, value in counted.items() if "foreign" in name) >= 1, counted


def test_an_end_that_comes_too_late_changes_nothing(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    """Between the look of a supervisor and what it does about it, a lane may claim or end the job."""
    held, ended, gone = (submit(store, operations, make_job) for _ in range(3))
    first, second = lane.claim(2)
    lane.finish(second)
    store.run(operations.delete(gone))
    for job_id in (held, ended, gone):
        late = Reply(job_id=job_id, status=JobStatus.ERROR, error="late")
        assert not store.run(foreign_ends._end(operations, late))
    assert store.run(operations.status(held)) is JobStatus.STARTED
    assert store.run(operations.output(ended)) == "42"
    assert store.run(Op(("EXISTS", operations.keys.job(gone)), int)) == 0
    assert lane.finish(first) == []


def test_an_end_that_a_full_server_refuses_is_told_to_waiters_and_written_later(
    own_valkey: ValkeyServer, operations: Operations, make_job: MakeJob
) -> None:
    with Store(own_valkey.url) as store:
        job_id = submit(store, operations, make_job)
        reply(store, operations, job_id)
        own_valkey.command("CONFIG", "SET", "maxmemory", "1")
        assert look(store, operations, job_id, times=1) == [[]], "it needs another look"
        told = store.drive(look_again(operations, job_id))
        assert told is not None
        assert (told.status, told.output) == (JobStatus.FINISHED, "42")
        own_valkey.command("CONFIG", "SET", "maxmemory", "0")
        assert store.run(operations.status(job_id)) is JobStatus.DISPATCHED

        assert look(store, operations, job_id, times=1) == [[job_id]]
        assert store.run(operations.status(job_id)) is JobStatus.FINISHED
