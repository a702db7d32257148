"""What a lane counts, how long jobs waited, and that reports add up to what was counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_actor.lanes.tally import CountReports, Tally
from hero_job import JobStatus
from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.model.overview.counters import BOUNDS_S, BUCKETS, JobCounts

AT = "2026-11-24T06:00:00.000Z"


def claimed(queued_at: str | None) -> ClaimedJob:
    return ClaimedJob("j", "1", "SAL", "1", "c", "x", "300", "{}", queued_at)


def counts_of(*tallies: Tally) -> JobCounts:
    total: dict[str, int] = {}
    for tally in tallies:
        tally.add_to(total)
    counts = JobCounts()
    for what, more in total.items():
        counts.add(what, more)
    return counts


@pytest.mark.parametrize(
    ("queued_at", "claimed_at", "wait_s"),
    [
        ("2026-11-24T06:00:00.123Z", "2026-11-24T06:00:59.623Z", 59.5),
        ("2026-11-24T06:00:59.900Z", "2026-11-24T06:01:00.100Z", 0.2),
        ("2026-11-23T23:59:59.000Z", "2026-11-24T00:00:01.000Z", 2),
        ("2025-01-01T00:00:00.000Z", "2025-01-03T00:00:00.000Z", 172_800),
        ("2026-11-24T06:00:01.000Z", "2026-11-24T06:00:00.000Z", 0),  # the clock was set back
        ("2026-11-24T06:00:01.000Z", "2026-11-24T05:00:00.000Z", 0),
        ("2026-11-24T06:00:00+01:00", "2026-11-24T06:00:00.000Z", 3600),
    ],
)
def test_a_wait_is_from_the_time_when_the_job_might_run(queued_at: str, claimed_at: str, wait_s: float) -> None:
    tally = Tally()
    tally.claimed([claimed(queued_at)], claimed_at)

    wait = counts_of(tally).wait
    assert wait.sum_us == pytest.approx(wait_s * 1e6, abs=2)
    bucket = wait.buckets.index(1)
    assert (0 if bucket == 0 else BOUNDS_S[bucket - 1]) <= wait_s <= [*BOUNDS_S, 1e9][bucket]


@pytest.mark.parametrize("queued_at", [None, "", "soon", "1795500000", "2026-11-24T06:00:xx.1Z", "2026-11-24T06:00:00"])
def test_a_wait_that_is_not_known_is_left_out(queued_at: str | None) -> None:
    tally = Tally()
    tally.claimed([claimed(queued_at), claimed(AT), claimed(queued_at)], AT)

    wait = counts_of(tally).wait
    assert (sum(wait.buckets), wait.buckets[0]) == (1, 1)


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=20))
def test_the_jobs_of_a_batch_are_in_the_buckets_of_their_own_waits(waits_ms: list[int]) -> None:
    at = datetime(2026, 11, 24, 6, tzinfo=UTC)
    waits_ms.sort(reverse=True)  # they leave the queue in the order in which they came
    texts = [(at - timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:23] + "Z" for ms in waits_ms]
    tally = Tally()
    tally.claimed([claimed(text) for text in texts], AT)

    wait = counts_of(tally).wait
    expected = [0] * BUCKETS
    for ms in waits_ms:
        expected[sum(ms > bound * 1000 for bound in BOUNDS_S)] += 1
    assert wait.buckets == expected
    in_one = max(expected) == len(waits_ms)
    mean_ms = (waits_ms[0] + waits_ms[-1]) / 2 if in_one else sum(waits_ms) / len(waits_ms)
    assert wait.sum_us == pytest.approx(mean_ms * 1000 * len(waits_ms), abs=2)


def test_fast_runs_are_counted_by_the_batch_and_slow_ones_one_by_one() -> None:
    tally = Tally()
    tally.ran(12, 0.5, [0.006, 0.45])

    run = counts_of(tally).run
    assert (run.buckets[0], run.buckets[1], run.buckets[6], run.sum_us) == (10, 1, 1, 500_000)


def test_only_ends_that_count_are_counted_and_kinds_are_bounded() -> None:
    tally = Tally()
    ends = [
        *(Settlement(f"f{n}", "1", JobStatus.FINISHED, "42") for n in range(3)),
        *(Settlement(f"k{n}", "1", JobStatus.ERROR, error="e", error_kind=f"kind {n}") for n in range(100)),
        Settlement("t", "1", JobStatus.ERROR, error="e", error_kind="timeout"),
        Settlement("s", "1", JobStatus.STOPPED, error="stopped", error_kind="stopped"),
        # The store decides about these, and counts them itself.
        Settlement("r", "1", JobStatus.ERROR, error="e", error_kind="timeout", retry_in_s=0),
        Settlement("c", "1", JobStatus.ERROR, error="e", error_kind="crashed", ended_its_process=True),
    ]
    tally.settled(ends, ["f1", "k7"])

    counts = counts_of(tally)
    assert (counts.finished, counts.stopped, counts.errors) == (2, 1, {"other": 99, "timeout": 1})


def test_reports_have_each_count_once_and_one_without_an_answer_comes_again_unchanged() -> None:
    one, two, reports = Tally(), Tally(), CountReports()
    seen = JobCounts()
    assert reports.next([one, two], 0) is None
    numbers = []
    for n in range(1, 6):
        one.claimed([claimed(AT)], AT)
        two.ran(1, 0.001 * n, [])
        report = reports.next([one, two], n)
        two.ran(1, 2000, [2000])  # what comes while the answer is on its way is in the next report
        assert report is not None
        assert reports.next([one, two], n + 1) is report
        reports.answered()
        numbers.append(report.number)
        for what, more in report.more.items():
            seen.add(what, more)
    rest = reports.next([one, two], 4)  # for a moment, a run that ends is counted nowhere
    assert rest is not None
    for what, more in rest.more.items():
        seen.add(what, more)
    reports.answered()

    counted = counts_of(one, two)
    assert numbers == [1, 2, 3, 4, 5]
    assert (seen.started, seen.wait.buckets[0]) == (5, 5)
    assert (seen.run.buckets, seen.run.sum_us) == (counted.run.buckets, counted.run.sum_us)
    assert reports.next([one, two], 5) is None
    last = reports.next([one, two], 6)
    assert last is not None
    assert last.more == {"started": 1}
