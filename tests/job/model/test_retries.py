"""When a failed job is repeated, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.model.retries import LONGEST_S, PERMANENT, retry_in_s


def test_the_pause_doubles_up_to_its_longest() -> None:
    pauses = [retry_in_s("oops", failures, 100, roll=lambda: 0.0) for failures in range(12)]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_randomness_shortens_the_pause_by_at_most_half(failures: int, roll: float) -> None:
    whole = retry_in_s("oops", failures, 1001, roll=lambda: 0.0)
    pause = retry_in_s("oops", failures, 1001, roll=lambda: roll)

    assert whole is not None
    assert pause is not None
    assert whole / 2 <= pause <= whole <= LONGEST_S


@pytest.mark.parametrize("kind", sorted(PERMANENT))
def test_a_permanent_error_is_not_repeated(kind: str) -> None:
    assert retry_in_s(kind, 0, 5) is None


@pytest.mark.parametrize(
    ("failures", "retries", "repeated"), [(0, 0, False), (0, 1, True), (1, 1, False), (4, 5, True)]
)
def test_a_job_is_repeated_as_often_as_it_asks(failures: int, retries: int, repeated: bool) -> None:
    assert (retry_in_s("timeout", failures, retries) is not None) is repeated
