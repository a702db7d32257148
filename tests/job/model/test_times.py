"""Times of damaged records: each is shown as a moment of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.model.fields.checks import bounded_ms, milliseconds, ms_text


@given(st.one_of(st.floats(allow_nan=False), st.integers()))
def test_every_number_is_shown_as_a_time_which_is_read_back(number: float) -> None:
    text = ms_text(number)

    assert text.endswith("Z")
    assert milliseconds(text) == bounded_ms(number)


@pytest.mark.parametrize(
    ("number", "shown"), [("inf", "9999-12-31T23:59:59.999Z"), ("-inf", "0001-01-01T00:00:00.000Z")]
)
def test_what_lies_outside_the_calendar_is_its_first_or_last_moment(number: str, shown: str) -> None:
    assert ms_text(bounded_ms(number)) == shown


def test_usual_times_stay_what_they_are() -> None:
    at = datetime(2026, 11, 30, 18, 30, 28, 123000, tzinfo=UTC)
    assert ms_text(at.timestamp() * 1000) == "2026-11-30T18:30:28.123Z"
