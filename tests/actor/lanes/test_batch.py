"""What a lane holds, and what the beat may take away from it."""

from __future__ import annotations

import time

import pytest

from hero_actor.lanes.batch import Batch
from hero_actor.lanes.execute import timeout_of
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ClaimedJob, Settlement
from tests.actor.engines import Handle


def job(job_id: str, timeout: str = "1") -> ClaimedJob:
    return ClaimedJob(job_id, "1", "OSIS", "1", "caller", "context", timeout, "{}")


def result(job_id: str) -> Settlement:
    return Settlement(job_id, "1", JobStatus.FINISHED, "1")


def later_mono(seconds: float) -> float:
    return time.monotonic() + seconds


def test_jobs_start_in_order_and_their_results_wait_to_be_taken() -> None:
    batch = Batch(lambda _: Handle())

    assert batch.load([job("a"), job("b")]) == job("a")
    assert batch.advance(result("a")) == job("b")
    assert batch.advance(result("b")) is None

    assert batch.take_results() == [result("a"), result("b")]
    assert not batch.has_results


def test_only_the_first_job_starts_once_the_claim_is_too_old() -> None:
    batch = Batch(lambda _: Handle(), hold_s=0.0)

    assert batch.load([job("a"), job("b"), job("c")]) == job("a")
    assert batch.advance(result("a")) is None

    assert batch.take_results() == [result("a")]
    assert batch.holds_more, "what has not started is in the claimed list"


def test_each_run_has_a_handle_of_its_own() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])
    first = batch.run
    batch.advance(result("a"))

    assert batch.run is not first


def test_results_that_could_not_be_settled_come_back_before_newer_ones() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])
    batch.advance(result("a"))
    taken = batch.take_results()
    batch.advance(result("b"))

    batch.put_back(taken)

    assert batch.take_results() == [result("a"), result("b")]


def test_nothing_is_held_up_while_the_running_job_is_young() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])

    assert batch.take_held_up(time.monotonic(), 60) == ([], [])


def test_behind_a_slow_job_results_and_unstarted_jobs_are_taken_away() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b"), job("c")])
    batch.advance(result("a"))

    assert batch.take_held_up(later_mono(1), 0.5) == ([result("a")], [job("c")])

    assert batch.advance(result("b")) is None
    assert batch.take_results() == [result("b")]


def test_jobs_whose_handing_back_failed_are_handed_back_again_and_never_run() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])
    results, unstarted = batch.take_held_up(later_mono(1), 0.5)

    batch.put_back(results, unstarted)

    assert batch.holds_more
    assert batch.take_held_up(later_mono(1), 0.5) == ([], [job("b")])
    assert batch.advance(result("a")) is None


def test_stopped_batch_cancels_the_running_job_and_starts_no_other() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])
    assert isinstance(batch.run, Handle)

    batch.stop()

    assert batch.run.cancelled.is_set()
    assert batch.advance(None) is None
    assert batch.load([job("c")]) is None
    assert not batch.has_results


def test_job_past_its_deadline_is_cancelled_and_past_its_grace_given_up() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a", timeout="1")])
    assert isinstance(batch.run, Handle)

    began_mono = batch.started_mono
    batch.cancel_overdue(began_mono + 0.5)
    assert not batch.run.cancelled.is_set()
    batch.cancel_overdue(began_mono + 1.5)
    assert batch.run.cancelled.is_set()
    assert batch.out_of_time

    assert batch.abandon_overdue(began_mono + 1.5, 1) is None
    assert batch.abandon_overdue(later_mono(2.5), 1) == job("a", timeout="1")
    assert batch.abandon_overdue(later_mono(9), 1) is None
    assert batch.advance(result("a")) is None
    assert not batch.has_results


def test_claimed_job_that_was_stopped_before_it_began_starts_cancelled_and_only_that_run_of_it() -> None:
    handles: list[Handle] = []

    def new_run(_: ClaimedJob) -> Handle:
        handles.append(Handle())
        return handles[-1]

    batch = Batch(new_run, {("b", "1"), ("c", "2")})
    batch.load([job("a"), job("b"), job("c")])
    for name in "abc":
        batch.advance(result(name))

    assert [handle.cancelled.is_set() for handle in handles] == [False, True, False]


@pytest.mark.parametrize(
    ("job_id", "attempt", "cancelled"), [("a", "1", True), ("a", None, True), ("a", "2", False), ("b", None, False)]
)
def test_only_the_running_job_is_cancelled_and_only_the_run_that_was_meant(
    job_id: str, attempt: str | None, cancelled: bool
) -> None:
    batch = Batch(lambda _: Handle())
    assert not batch.cancel(job_id, attempt), "nothing runs"
    batch.load([job("a"), job("b")])
    assert isinstance(batch.run, Handle)

    assert batch.cancel(job_id, attempt) is cancelled
    assert batch.run.cancelled.is_set() is cancelled


def test_job_after_one_that_ran_out_of_time_has_its_own_time() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a", timeout="1"), job("b", timeout="1")])
    batch.cancel_overdue(later_mono(1.5))
    assert batch.out_of_time

    batch.advance(result("a"))

    assert not batch.out_of_time
    overdue_s = batch.overdue_s(batch.started_mono)
    assert overdue_s == -1
    assert batch.running_since(batch.started_mono) is None
    assert batch.running_since(later_mono(1)) == job("b", timeout="1")
    batch.advance(result("b"))
    assert batch.overdue_s(later_mono(9)) is None


def test_result_that_is_held_is_settled_unless_its_job_was_given_up() -> None:
    batch = Batch(lambda _: Handle())
    batch.load([job("a"), job("b")])
    batch.hold(result("a"))
    assert batch.advance(None) == job("b")
    assert batch.abandon_overdue(later_mono(9), 1) == job("b")
    batch.hold(result("b"))

    assert batch.take_results() == [result("a")]
    assert batch.running_since(later_mono(1)) is None, "a job that was given up is no longer asked about"


@pytest.mark.parametrize(
    ("text", "seconds"), [("2.5", 2.5), ("1e300", 10 * 365 * 86400), ("-1", 0), ("nan", 0), ("x", 0)]
)
def test_timeout_is_bounded_and_an_invalid_one_counts_as_the_default(text: str, seconds: float) -> None:
    default_s = timeout_of(job("a", timeout=""))
    assert 1 <= default_s < 86400

    assert timeout_of(job("a", timeout=text)) == (seconds or default_s)
