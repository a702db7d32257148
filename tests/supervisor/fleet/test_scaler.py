"""What the scaler learns about the speed of an entry's queues, and from when on they count as stuck."""

from __future__ import annotations

import pytest

from hero_supervisor.fleet.scaler import _Drain, _note


def after(*looks: tuple[int, int, float]) -> _Drain:
    """Look at (jobs run so far, jobs waiting, time)."""
    drain = _Drain()
    for jobs, waiting, now_mono in looks:
        _note(drain, jobs, waiting, now_mono)
    return drain


def test_speed_is_the_mean_of_what_was_known_and_what_the_last_look_shows() -> None:
    assert after((0, 9, 100.0), (20, 9, 102.0)).per_s == 10
    assert after((0, 9, 100.0), (20, 9, 102.0), (60, 9, 104.0)).per_s == 15


@pytest.mark.parametrize("idle", [(30, 0, 103.0), (20, 0, 103.0)])
def test_idle_queue_shows_no_speed_until_jobs_have_waited_for_the_time_between_two_looks(
    idle: tuple[int, int, float],
) -> None:
    assert after((0, 9, 100.0), (20, 9, 102.0), idle).per_s == 0
    assert after((0, 9, 100.0), (20, 9, 102.0), idle, (50, 9, 104.0)).per_s == 0
    assert after((0, 9, 100.0), (20, 9, 102.0), idle, (50, 9, 104.0), (52, 9, 105.0)).per_s == 2


def test_number_of_jobs_that_falls_shows_nothing() -> None:
    assert after((0, 9, 100.0), (20, 9, 102.0), (5, 9, 103.0)).per_s == 10
    assert after((0, 9, 100.0), (20, 9, 102.0), (5, 9, 103.0), (7, 9, 104.0)).per_s == 6


def test_two_looks_at_one_moment_show_no_speed() -> None:
    assert after((0, 9, 100.0), (20, 9, 100.0)).per_s == 0


def test_queue_is_stuck_since_the_first_look_that_found_it_unmoved() -> None:
    assert after((0, 9, 100.0), (5, 9, 101.0)).stuck_since_mono is None
    assert after((0, 9, 100.0), (5, 9, 101.0), (5, 9, 102.0)).stuck_since_mono == 102.0
    assert after((0, 9, 100.0), (5, 9, 101.0), (5, 9, 102.0), (5, 9, 103.0)).stuck_since_mono == 102.0
    for end in ((6, 9, 104.0), (5, 0, 104.0)):
        assert after((5, 9, 101.0), (5, 9, 102.0), end).stuck_since_mono is None
