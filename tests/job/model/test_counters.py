"""Counters: what their names mean, sums over periods, and shares of waiting and running times."""

from __future__ import annotations

import pytest

from hero_job.model.overview.counters import BOUNDS_S, BUCKETS, Durations, JobCounts, add_fields, add_up


def test_fields_of_a_hash_are_read_by_script_type_and_what_is_no_counter_is_left_out() -> None:
    counts: dict[str, JobCounts] = {}
    for _ in range(2):
        add_fields(
            counts,
            {
                "sal:started": "3", "sal:error:timeout": "1", "sal:wait:0": "2", "sal:wait_us": "9", "sal:run:15": "4",
                "sal:run:16": "4", "sal:run:-1": "4", "sal:run:x": "4", "sal:started:more": "4", "sal:future": "4",
                "sal:finished": "many", "v:finished": "1", "sal:buckets": "1", "sal:errors": "1",
            },
        )  # fmt: skip

    sal = counts["sal"]
    assert (sal.started, sal.finished, sal.errors, sal.failed, sal.lost) == (6, 0, {"timeout": 2}, 2, 0)
    assert (sal.wait.buckets[0], sal.wait.sum_us, sal.run.buckets, sal.run.sum_us) == (
        4, 18, [0] * (BUCKETS - 1) + [8], 0
    )  # fmt: skip
    assert counts["v"].finished == 2


def test_periods_add_up() -> None:
    one, two = JobCounts(started=1, errors={"a": 1}), JobCounts(started=2, stopped=5, errors={"a": 2, "b": 3})
    one.run.buckets[3], two.run.buckets[3], two.run.sum_us = 1, 2, 7

    total = add_up([one, two])

    assert (total.started, total.stopped, total.errors) == (3, 5, {"a": 3, "b": 3})
    assert (total.run.buckets[3], total.run.sum_us, total.wait.sum_us) == (3, 7, 0)
    assert (one.started, two.started, one.errors) == (1, 2, {"a": 1})
    assert not add_up([]).counted
    assert total.counted


@pytest.mark.parametrize(
    ("counts", "share", "expected_s"),
    [
        ({}, 0.5, None),
        ({0: 10}, 0.5, 0.0025),
        ({0: 10}, 1, 0.005),
        ({0: 5, 4: 5}, 0.5, 0.005),
        ({0: 5, 4: 10}, 0.9, 0.05 + 0.05 * 8.5 / 10),
        ({BUCKETS - 1: 3}, 0.5, BOUNDS_S[-1]),
    ],
)
def test_a_share_of_the_times_is_estimated_within_its_bucket(
    counts: dict[int, int], share: float, expected_s: float | None
) -> None:
    taken = Durations()
    for bucket, count in counts.items():
        taken.buckets[bucket] = count

    assert taken.quantile_s(share) == (None if expected_s is None else pytest.approx(expected_s))
