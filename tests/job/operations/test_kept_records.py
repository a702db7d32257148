"""A record lives as long as another job needs it, and a key of uniqueness holds for as long as it says."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job import Job, JobInvalid, JobStatus
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane

DAY_MS = 86_400_000


def kept_ms(store: Store, operations: Operations, job_id: str) -> int:
    return store.run(Op(("PTTL", operations.keys.job(job_id)), int))


@pytest.mark.parametrize("created", ["before it ended", "after it ended"])
@pytest.mark.parametrize("end", ["finished", "stopped", "deleted"])
def test_a_prerequisite_is_kept_until_its_last_reader_has_ended(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, created: str, end: str
) -> None:
    store.run(operations.create(make_job(id="other")))
    store.run(operations.create(make_job(id="P"), start=True))
    if created == "after it ended":
        lane.finish(*lane.claim())
    for name in ("D", "E"):
        store.run(operations.create(make_job(id=name, prerequisites=["P", "other"]), start=True))
    if created == "before it ended":
        lane.finish(*lane.claim())
    assert kept_ms(store, operations, "P") > 300 * DAY_MS

    store.run(operations.stop("E"))
    assert kept_ms(store, operations, "P") > 300 * DAY_MS
    if end == "finished":
        store.run(operations.start("other"))
        lane.finish(*lane.claim())
        (job,) = lane.claim()
        assert job.prerequisites["P"] == "42"
        lane.finish(job)
    elif end == "stopped":
        store.run(operations.stop("D"))
    else:
        store.run(operations.delete("D"))
    assert 0 < kept_ms(store, operations, "P") <= DAY_MS


def test_a_job_whose_prerequisite_is_gone_ends_in_an_error(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="P"), start=True))
    lane.finish(*lane.claim())
    store.run(operations.create(make_job(id="D", prerequisites=["P"]), start=True))
    store.run(operations.delete("P"))
    assert lane.claim() == []
    assert store.run(operations.record("D")).error_kind == "prerequisite_failed"


def unique(job: Job, for_s: float | None = None) -> Job:
    return dataclasses.replace(job, unique_key="k", unique_for_s=for_s)


def test_a_retried_job_takes_its_unique_key_again_or_is_refused(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(unique(make_job(id="X")), start=True))
    (claimed,) = lane.claim()
    lane.fail(claimed)
    store.run(operations.retry("X"))
    assert store.run(operations.create(unique(make_job(id="Y")))) == "X"
    (claimed,) = lane.claim()
    lane.fail(claimed)
    assert store.run(operations.create(unique(make_job(id="Z")))) == "Z"
    with pytest.raises(JobInvalid, match="'Z'"):
        store.run(operations.retry("X"))
    assert store.run(operations.status("X")) is JobStatus.ERROR


def test_a_key_that_holds_for_a_time_outlives_the_usual_life_of_a_record(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(unique(make_job(id="X"), for_s=30 * 86_400), start=True))
    lane.finish(*lane.claim())
    assert kept_ms(store, operations, "X") > 29 * DAY_MS
    assert store.run(operations.create(unique(make_job(id="Y"), for_s=1))) == "X"
