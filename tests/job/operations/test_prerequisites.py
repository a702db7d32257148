"""Jobs that wait for other jobs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from hero_job import Job, JobFailed, JobInvalid, JobNotFound, JobStatus
from hero_job.client.store import Store
from hero_job.operations.batches import create_jobs, creation_order
from hero_job.operations.operations import Operations
from tests.job.conftest import MakeJob
from tests.job.lane import Lane


def test_a_job_waits_until_its_last_prerequisite_has_finished_and_reads_their_outputs(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    for name in ("a", "b"):
        store.run(operations.create(make_job(id=name), start=True))
    store.run(operations.create(make_job(id="c", prerequisites=["a", "b"]), start=True))
    assert store.run(operations.status("c")) is JobStatus.WAITING_FOR_PREREQUISITES

    first, second = lane.claim()
    lane.finish(first, output="one")
    assert lane.claim() == []
    lane.finish(second, output="two")

    (released,) = lane.claim()
    assert released.id == "c"
    assert released.prerequisites == {"a": "one", "b": "two"}


def test_a_job_created_after_its_prerequisite_finished_does_not_wait(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="a"), start=True))
    lane.work_off()

    store.run(operations.create(make_job(id="b", prerequisites=["a"]), start=True))

    assert lane.claim()[0].prerequisites == {"a": "out of a"}


def test_prerequisites_that_end_before_the_job_is_started_count(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="a"), start=True))
    store.run(operations.create(make_job(id="b", prerequisites=["a"])))
    lane.work_off()
    assert store.run(operations.status("b")) is JobStatus.CREATED

    store.run(operations.start("b"))

    assert lane.work_off() == ["b"]


@pytest.mark.parametrize("ended", ["failed", "stopped", "deleted"])
def test_a_failed_prerequisite_fails_all_jobs_that_wait_for_it_and_says_why(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, ended: str
) -> None:
    store.run(operations.create(make_job(id="a"), start=True))
    store.run(operations.create(make_job(id="b", prerequisites=["a"]), start=True))
    store.run(operations.create(make_job(id="c", prerequisites=["b"]), start=True))

    if ended == "failed":
        lane.fail(lane.claim()[0])
    elif ended == "stopped":
        store.run(operations.stop("a"))
    else:
        store.run(operations.delete("a"))
        with pytest.raises(JobNotFound):
            store.run(operations.status("a"))

    for job_id, cause in (("b", "a"), ("c", "b")):
        with pytest.raises(JobFailed, match=f"prerequisite {cause} ended as") as failed:
            store.wait_reply(operations, job_id, 5).result()
        assert failed.value.kind == "prerequisite_failed"
    assert lane.claim() == []


def test_a_job_whose_prerequisite_failed_before_its_start_fails_when_it_is_started(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="a"), start=True))
    store.run(operations.create(make_job(id="b", prerequisites=["a"])))
    lane.fail(lane.claim()[0])
    store.run(operations.create(make_job(id="late", prerequisites=["a"])))

    for job_id in ("b", "late"):
        store.run(operations.start(job_id))
        assert store.run(operations.record(job_id)).error_kind == "prerequisite_failed"


def test_a_job_can_ask_to_run_after_a_failure(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="a"), start=True))
    store.run(operations.create(make_job(id="b", prerequisites=["a"], run_after_failure=True), start=True))
    lane.fail(lane.claim()[0])

    (released,) = lane.claim()
    assert (released.id, released.prerequisites) == ("b", {"a": None})


def test_an_unknown_prerequisite_is_refused_and_nothing_is_stored(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    with pytest.raises(JobInvalid, match="no job 'ghost'"):
        store.run(operations.create(make_job(id="b", prerequisites=["ghost"])))

    with pytest.raises(JobNotFound):
        store.run(operations.status("b"))


def test_a_job_cannot_wait_for_itself(make_job: MakeJob) -> None:
    with pytest.raises(JobInvalid, match="itself"):
        make_job(id="a", prerequisites=["a"])


def job_with_dependents(job_id: str, *dependents: str, prerequisites: Sequence[str] = ()) -> Job:
    """The builder has no dependents: only a client of the Rust family names them."""
    return Job.from_fields(
        {"id": job_id, "caller_id": "caller", "context_id": "context", "script": "1", "script_type": "osis",
         "prerequisites": list(prerequisites), "dependents": list(dependents)}
    )  # fmt: skip


def test_dependents_wait_for_the_job_that_names_them(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.create(make_job(id="later")))
    store.run(operations.create(job_with_dependents("first", "later")))
    store.run(operations.start("later"))
    assert lane.claim() == []

    store.run(operations.start("first"))
    assert lane.work_off() == ["first", "later"]


def test_a_dependent_that_would_wait_for_itself_is_refused(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    store.run(operations.create(make_job(id="a")))
    store.run(operations.create(make_job(id="b", prerequisites=["a"])))

    with pytest.raises(JobInvalid, match="'a' would wait for itself"):
        store.run(operations.create(job_with_dependents("c", "a", prerequisites=["b"])))


@pytest.mark.parametrize("state", ["unknown", "started", "finished"])
def test_a_dependent_that_can_no_longer_wait_is_refused(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, state: str
) -> None:
    if state != "unknown":
        store.run(operations.create(make_job(id="d"), start=True))
    if state == "finished":
        lane.work_off()

    with pytest.raises(JobInvalid, match="does not exist, or has been started"):
        store.run(operations.create(job_with_dependents("x", "d")))


def test_any_graph_runs_in_an_order_that_it_allows(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    for seed in range(10):
        rng = random.Random(seed)
        names = [f"{seed}-{n}" for n in range(25)]
        before = {n: rng.sample(names[:i], min(i, rng.randrange(4))) for i, n in enumerate(names)}
        jobs = [make_job(id=n, prerequisites=before[n]) for n in names]
        rng.shuffle(jobs)

        created = store.drive(create_jobs(operations, jobs))

        assert created.refused == {}
        order = lane.work_off()
        assert sorted(order) == sorted(names)
        assert all(order.index(p) < order.index(n) for n in names for p in before[n])


def test_a_cycle_in_a_batch_is_refused_with_the_names_in_it(make_job: MakeJob) -> None:
    jobs = [make_job(id="a", prerequisites=["c"]), make_job(id="b", prerequisites=["a"]),
            make_job(id="c", prerequisites=["b"])]  # fmt: skip

    with pytest.raises(JobInvalid, match="wait for each other") as refused:
        creation_order(jobs)

    assert all(name in refused.value.reason for name in "abc")


def test_the_creation_order_puts_every_job_after_those_that_it_names(make_job: MakeJob) -> None:
    jobs = [make_job(id=n, prerequisites=p) for n, p in (("a", []), ("b", ["a"]), ("c", ["a", "b"]))]

    for shuffled in itertools.permutations(jobs):
        assert [j.id for j in creation_order(list(shuffled))] == ["a", "b", "c"]
