"""Acts on many jobs, their records, and the record of changes; and how long jobs run."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from hero_job import JobInvalid, JobStatus
from hero_job.client.store import Store
from hero_job.model.errors import JobNotFound, JobStateError
from hero_job.model.overview.acts import ActKind, ActState, BulkAct
from hero_job.operations.operations import Operations
from hero_job.operations.overview.acts import ACT_TTL_S, Acts, applies, first_problems
from hero_job.operations.overview.overdue import GRACE_S, running
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit

LATE = "2999-01-01T00:00:00.000Z"
ACT = BulkAct(act_id="a", kind=ActKind.STOP, reason="r", who="w", selects="[]", started_ms=1, updated_ms=2)


@pytest.fixture
def acts(operations: Operations) -> Acts:
    return Acts(operations)


def test_an_act_begins_once_and_its_record_says_how_far_it_is(store: Store, acts: Acts, operations: Operations) -> None:
    with pytest.raises(JobInvalid, match="there is no act 'a'"):
        store.run(acts.get("a"))
    assert store.run(acts.begin(ACT))
    assert not store.run(acts.begin(dataclasses.replace(ACT, who="another")))
    assert store.run(acts.get("a")) == ACT
    further = dataclasses.replace(ACT, state=ActState.DONE, done=3, refused=1, problems=(("j", "no"),), walked=4)
    store.run(acts.put(further))
    assert store.run(acts.get("a")) == further
    key = operations.keys.prefix + KeyPart.ACT + "a"
    assert ACT_TTL_S - 600 < store.run(Op(("TTL", key), int)) <= ACT_TTL_S
    for damage in ("nonsense", "{}", "[]"):
        store.run(Op(("SET", key, damage), as_is))
        with pytest.raises(JobInvalid, match="cannot be read"):
            store.run(acts.get("a"))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (ActKind.STOP, "dispatched", "stopped"),
        (ActKind.RETRY, "stopped", "dispatched"),
        (ActKind.DELETE, "stopped", None),
    ],
)
def test_an_act_is_done_to_each_job_of_its_author_and_to_no_other(
    store: Store, acts: Acts, operations: Operations, make_job: MakeJob, kind: ActKind, before: str, after: str | None
) -> None:
    mine, theirs = submit(store, operations, make_job), submit(store, operations, make_job, caller_id="other")
    if before == "stopped":
        for job_id in (mine, theirs):
            store.run(operations.stop(job_id))
    ids = [mine, "unknown", theirs, mine]
    results = store.drive(acts.do(kind, ids, "caller", LATE))
    assert [job_id for job_id, _ in results] == [mine, "unknown", theirs]
    assert [type(error) for _, error in results] == [type(None), JobNotFound, JobNotFound]
    assert store.run(operations.status(theirs)).value == before
    if after is None:
        with pytest.raises(JobNotFound):
            store.run(operations.status(mine))
    else:
        assert store.run(operations.status(mine)).value == after
    (result,) = store.drive(acts.do(kind, [theirs], None, LATE))
    assert result == (theirs, None), "an author that is not bound may change all"
    assert store.drive(acts.do(kind, ["unknown"], "caller", LATE))[0][1] is not None
    assert store.drive(acts.do(kind, [], None, LATE)) == []


def test_a_retry_that_is_repeated_leaves_a_job_alone_that_has_ended_since(
    store: Store, acts: Acts, operations: Operations, make_job: MakeJob
) -> None:
    job_id = submit(store, operations, make_job)
    store.run(operations.stop(job_id))
    ((_, error),) = store.drive(acts.do(ActKind.RETRY, [job_id], None, "2000-01-01T00:00:00.000Z"))
    assert isinstance(error, JobStateError)
    assert store.run(operations.status(job_id)) is JobStatus.STOPPED
    ended_at = store.run(Op(("HGET", operations.keys.job(job_id), "updated_at"), as_is))
    assert store.drive(acts.do(ActKind.RETRY, [job_id], None, ended_at)) == [(job_id, None)], "at this very moment"


@pytest.mark.parametrize("status", JobStatus)
def test_each_act_applies_to_the_jobs_that_it_can_change(status: JobStatus) -> None:
    assert applies(ActKind.STOP, status) == (
        status not in {JobStatus.FINISHED, JobStatus.ERROR, JobStatus.STOPPED, JobStatus.STOPPING}
    )
    assert applies(ActKind.RETRY, status) == (status in {JobStatus.ERROR, JobStatus.STOPPED})
    assert applies(ActKind.DELETE, status) == (status not in {JobStatus.STARTED, JobStatus.STOPPING})


def test_the_first_problems_of_an_act_are_kept_and_cut() -> None:
    known = tuple((f"j{n}", "old") for n in range(18))
    results = [("a", None), ("b", JobNotFound("b" * 300)), ("c", JobNotFound("c")), ("d", JobNotFound("d"))]
    found = first_problems(known, results)
    assert found[:18] == known
    assert [job_id for job_id, _ in found[18:]] == ["b", "c"]
    assert len(found[18][1]) == 200


def test_the_record_of_changes_is_read_page_by_page(store: Store, acts: Acts) -> None:
    for number in range(3):
        store.run(acts.note({"who": f"w{number}", "method": "stop_job", "outcome": "ok"}))
    first, second = store.run(acts.entries("", 2))
    (third,) = store.run(acts.entries(second.cursor, 2))
    assert [one.who for one in (first, second, third)] == ["w0", "w1", "w2"]
    assert (first.method, first.outcome, first.peer, first.params) == ("stop_job", "ok", "", "")
    assert first.at_ms == int(first.cursor.split("-")[0])
    assert store.run(acts.entries(third.cursor, 2)) == []


def test_the_oldest_running_job_of_each_type_and_those_past_their_timeout_are_found(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    actor = make_actor()
    lane = Lane(store, actor)
    assert store.drive(running(operations)).oldest_s == {}
    job_id = submit(store, operations, make_job, timeout=10)
    lane.claim(1)
    store.run(actor.beat(busy=1, jobs=0))

    def started(seconds_ago: float) -> tuple[float, int]:
        seconds, _ = store.run(Op(("TIME",), list))
        at = datetime.fromtimestamp(int(seconds) - seconds_ago, UTC).isoformat().replace("+00:00", "Z")
        store.run(Op(("HSET", operations.keys.job(job_id), "started_at", at), as_is))
        found = store.drive(running(operations))
        return found.oldest_s["osis"], found.overdue

    oldest_s, overdue = started(5)
    assert 5 <= oldest_s < 600
    assert overdue == 0 or oldest_s > 10 + GRACE_S
    oldest_s, overdue = started(10_000)
    assert 10_000 <= oldest_s < 11_000
    assert overdue == 1
    assert started(-100)[0] == 0, "a clock that was set back gives no age below zero"
    store.run(Op(("HSET", operations.keys.job(job_id), "started_at", "nonsense"), as_is))
    assert store.drive(running(operations)).oldest_s == {"osis": 0}
    store.run(actor.beat(busy=0, jobs=1))
    assert store.drive(running(operations)).oldest_s == {}, "its lanes are idle"
