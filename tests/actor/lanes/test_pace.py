"""How many jobs a lane claims in one round trip."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hero_actor.lanes.pace import BATCH_S, MAX_JOBS, Pace


def grown(pace: Pace, job_s: float, batches: int = 40) -> list[int]:
    asks = []
    for _ in range(batches):
        asks.append(pace.next_ask())
        pace.note(asks[-1], asks[-1] * job_s, job_s)
    return asks


def test_first_ask_is_for_one_job_and_the_next_at_most_double() -> None:
    asks = grown(Pace(), 0.000_01)

    assert asks[0] == 1
    assert all(later <= 2 * earlier for earlier, later in pairwise(asks))
    assert asks[-1] == MAX_JOBS


def test_batch_is_sized_to_two_milliseconds_of_work() -> None:
    assert grown(Pace(), BATCH_S / 10)[-1] in (9, 10)
    assert set(grown(Pace(), BATCH_S * 10)) == {1}


def test_one_slow_job_brings_the_next_ask_down_to_one() -> None:
    pace = Pace()
    grown(pace, 0.000_01)

    pace.note(64, 0.01, 0.005)

    assert pace.next_ask() == 1


def test_after_an_empty_queue_the_next_ask_is_for_one_job() -> None:
    pace = Pace()
    grown(pace, 0.000_01)

    pace.pause()

    assert pace.next_ask() == 1


def test_jobs_too_fast_for_the_clock_are_claimed_in_the_largest_batches() -> None:
    assert grown(Pace(), 0.0)[-1] == MAX_JOBS


@pytest.mark.parametrize(("fitting", "ahead"), [(64, 32), (9, 4), (8, 4), (7, 0), (1, 0)])
def test_a_turn_that_is_sent_ahead_claims_at_least_four_jobs_or_none(fitting: int, ahead: int) -> None:
    pace = Pace()
    for _ in range(100):
        pace.note(100, 100 * BATCH_S / (fitting + 0.5), 0.0)
        pace.next_ask()

    assert pace.next_ask_ahead() == ahead
    assert pace.next_ask() == fitting


def test_a_turn_sent_ahead_claims_at_most_as_many_jobs_as_the_last_turn() -> None:
    pace = Pace()
    grown(pace, BATCH_S / 20.5)
    pace.pause()

    asks = [(pace.next_ask_ahead(), pace.next_ask()) for _ in range(5)]

    assert asks == [(0, 1), (0, 2), (0, 4), (4, 16), (10, 20)]


def test_the_fastest_jobs_are_claimed_ahead_in_the_largest_batches() -> None:
    pace = Pace()
    grown(pace, BATCH_S / MAX_JOBS / 4)

    assert pace.next_ask_ahead() == MAX_JOBS
    assert pace.next_ask() == MAX_JOBS
