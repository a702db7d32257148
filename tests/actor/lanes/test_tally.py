"""What a lane counts, how long jobs waited, and that reports add up to what was counted."""

from __future__ import annotations

import pytest

from hero_actor.lanes.tally import CountReports, Tally
from hero_job import JobStatus
from hero_job.model.claim_types import Settlement
from hero_job.model.overview.counters import BOUNDS_S, JobCounts


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
    tally.start(queued_at, claimed_at)

    wait = counts_of(tally).wait
    assert wait.sum_us == pytest.approx(wait_s * 1e6, abs=2)
    bucket = wait.buckets.index(1)
    assert (0 if bucket == 0 else BOUNDS_S[bucket - 1]) <= wait_s <= [*BOUNDS_S, 1e9][bucket]


@pytest.mark.parametrize(
    "queued_at", [None, "", "soon", "1795500000", "2026-11-24T06:00:xx.123Z", "2026-11-24T06:00:00"]
)
def test_a_run_whose_wait_is_not_known_counts_as_started_only(queued_at: str | None) -> None:
    tally = Tally()
    tally.start(queued_at, "2026-11-24T06:00:00.123Z")

    counts = counts_of(tally)
    assert (counts.started, sum(counts.wait.buckets), counts.wait.sum_us) == (1, 0, 0)


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
    assert reports.next([one, two]) is None
    numbers = []
    for n in range(1, 6):
        one.start(None, "")
        two.ran(0.001 * n)
        report = reports.next([one, two])
        two.ran(2000)  # what comes while the answer is on its way is in the next report
        assert report is not None
        assert reports.next([one, two]) is report
        reports.answered()
        numbers.append(report.number)
        for what, more in report.more.items():
            seen.add(what, more)
    rest = reports.next([one, two])
    assert rest is not None
    for what, more in rest.more.items():
        seen.add(what, more)

    counted = counts_of(one, two)
    assert numbers == [1, 2, 3, 4, 5]
    assert (seen.started, seen.run.buckets, seen.run.sum_us) == (5, counted.run.buckets, counted.run.sum_us)
    reports.answered()
    assert reports.next([one, two]) is None
