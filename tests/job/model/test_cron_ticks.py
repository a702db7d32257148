"""Cron against changes of the clock, compared with a model that looks at each second or minute of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hero_job.model.cron_ticks import cron_ticks
from hero_job.model.errors import JobInvalid
from hero_job.operations.schedules import Schedule

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}
#: A change of each kind: where, when (UTC), and what the clock does.
CHANGES = [
    ("Europe/Brussels", "2026-03-29T01:00"),  # forward by an hour, at two
    ("Europe/Brussels", "2026-10-25T01:00"),  # back by an hour, at three
    ("Australia/Lord_Howe", "2026-10-03T15:30"),  # forward by half an hour
    ("Australia/Lord_Howe", "2026-04-04T15:00"),  # back by half an hour
    ("Antarctica/Troll", "2026-03-29T01:00"),  # forward by two hours
    ("America/Havana", "2026-03-08T05:00"),  # forward at midnight: the day begins at one
    ("America/Havana", "2026-11-01T05:00"),  # back at one: midnight comes twice
    ("Asia/Beirut", "2026-10-24T21:00"),  # back at midnight: eleven comes twice, on the day before
    ("America/Santiago", "2026-09-06T04:00"),  # forward at midnight, south
    ("America/St_Johns", "2026-11-01T04:30"),  # back, in a zone of half hours
    ("Asia/Kathmandu", "1985-12-31T18:30"),  # forward by a quarter, for good
    ("Pacific/Apia", "2011-12-30T10:00"),  # a whole day is left out
    ("UTC", "2026-03-29T01:00"),  # none
]
SECONDS = 4 * 3600


@st.composite
def cron_field(draw: st.DrawFn, low: int, high: int) -> tuple[str, frozenset[int]]:
    """Draw a field as text, and its values."""
    every = range(low, high + 1)
    match draw(st.sampled_from(["star", "step", "range", "stepped range", "values"])):
        case "star":
            return "*", frozenset(every)
        case "step":
            step = draw(st.integers(2, (high - low) // 2))
            return f"*/{step}", frozenset(every[::step])
        case "range":
            first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
            return f"{first}-{last}", frozenset(range(first, last + 1))
        case "stepped range":
            first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
            last = draw(st.sampled_from([first, last]))
            step = draw(st.integers(1, (high - low) // 2))
            return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
        case _:
            values = draw(st.frozensets(st.integers(low, high), min_size=1, max_size=3))
            return ",".join(map(str, values)), values


# Hours around which the clocks above change are tried most.
HOUR = st.one_of(cron_field(0, 23), st.sampled_from([(str(h), frozenset({h})) for h in (0, 1, 2, 3, 23)]))
PLACE = st.tuples(st.sampled_from(CHANGES), st.integers(0, 3 * 3600))
TIME = st.tuples(cron_field(0, 59), cron_field(0, 59), HOUR)


def moments(
    zone: ZoneInfo, first_s: int, hours: frozenset[int], minutes: frozenset[int], seconds: frozenset[int]
) -> list[int]:
    """List the moments at which the clock shows one of the times. Clocks change at whole minutes."""
    found = []
    for minute_s in range(first_s - first_s % 60, first_s + SECONDS, 60):
        local = datetime.fromtimestamp(minute_s, zone)
        if local.minute in minutes and local.hour in hours:
            found += [minute_s + second for second in sorted(seconds)]
    return [at_s for at_s in found if first_s <= at_s < first_s + SECONDS]


def once_each(zone: ZoneInfo, first_s: int, hours: frozenset[int], minutes: frozenset[int]) -> list[int]:
    """List when each of the times comes for the first time, or when the gap ends that it is in."""
    shown: dict[datetime, int] = {}
    for at_s in range(first_s - 2 * 86_400, first_s + SECONDS + 2 * 86_400, 60):
        shown.setdefault(datetime.fromtimestamp(at_s, zone).replace(tzinfo=None), at_s)
    times = sorted(shown)
    found = set()
    local = times[0]
    place = 0
    while local <= times[-1]:
        while times[place] < local:
            place += 1
        if local.minute in minutes and local.hour in hours:
            found.add(shown[times[place]])
        local += timedelta(minutes=1)
    return sorted(at_s for at_s in found if first_s <= at_s < first_s + SECONDS)


def ticks(cron: str, zone: ZoneInfo, first_s: int) -> list[int]:
    return list(takewhile(lambda at_s: at_s < first_s + SECONDS, cron_ticks(cron, zone, first_s - 1)))


def start_of(place: tuple[tuple[str, str], int]) -> tuple[ZoneInfo, int]:
    (name, change), before_s = place
    return ZoneInfo(name), int(datetime.fromisoformat(f"{change}+00:00").timestamp()) - before_s


@settings(deadline=None, max_examples=30)
@given(PLACE, TIME)
@example((CHANGES[3], 6000), (("39", frozenset({39})), ("26", frozenset({26})), ("*/2", frozenset(range(0, 24, 2)))))
def test_six_fields_tick_whenever_the_clock_shows_the_time(
    place: tuple[tuple[str, str], int], time: tuple[tuple[str, frozenset[int]], ...]
) -> None:
    zone, first_s = start_of(place)
    (second, seconds), (minute, minutes), (hour, hours) = time
    assert ticks(f"{second} {minute} {hour} * * *", zone, first_s) == moments(zone, first_s, hours, minutes, seconds)


@settings(deadline=None, max_examples=30)
@given(PLACE, TIME)
def test_five_fields_tick_once_for_each_time_or_whenever_the_clock_shows_it(
    place: tuple[tuple[str, str], int], time: tuple[tuple[str, frozenset[int]], ...]
) -> None:
    zone, first_s = start_of(place)
    first_s -= first_s % 60
    _, (minute, minutes), (hour, hours) = time
    found = ticks(f"{minute} {hour} * * *", zone, first_s)
    if minute.startswith("*") or hour.startswith("*"):
        assert found == moments(zone, first_s, hours, minutes, frozenset({0}))
    else:
        assert found == once_each(zone, first_s, hours, minutes)


@settings(deadline=None, max_examples=30)
@given(PLACE, TIME, st.booleans(), st.integers(0, 40))
def test_a_walk_that_begins_at_any_tick_goes_on_as_if_it_had_not_stopped(
    place: tuple[tuple[str, str], int], time: tuple[tuple[str, frozenset[int]], ...], has_seconds: bool, at: int
) -> None:
    zone, first_s = start_of(place)
    cron = " ".join([*(field for field, _ in time[0 if has_seconds else 1 :]), "*", "*", "*"])
    walk = list(islice(cron_ticks(cron, zone, first_s), 50))
    assert all(first_s < one < other for one, other in pairwise(walk))
    assert list(islice(cron_ticks(cron, zone, walk[at]), 49 - at)) == walk[at + 1 :]
    assert list(islice(cron_ticks(cron, zone, walk[at] + 0.5), 49 - at)) == walk[at + 1 :]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        # Skipped: two times of the gap make one tick, at its end.
        ("15,45 2 29 3 *", ["2026-03-29T01:00"]),
        ("0 15 2 29 3 *", []),
        # Repeated: the first time only, or both.
        ("30 2 25 10 *", ["2026-10-25T00:30"]),
        ("0 30 2 25 10 *", ["2026-10-25T00:30", "2026-10-25T01:30"]),
        ("*/30 2 25 10 *", ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30"]),
    ],
)
def test_the_rules_by_example(cron: str, expected: list[str]) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    end = datetime(2026, 12, 31, tzinfo=UTC).timestamp()
    found = takewhile(lambda at_s: at_s < end, cron_ticks(cron, ZoneInfo("Europe/Brussels"), begin))
    assert [f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M}" for at_s in found] == expected


@pytest.mark.parametrize("cron", ["0 0 0 29 2 0", "0 0 29 2 *", "59 59 23 31 12 *", "0 0 0 L 2 *", "0 0 0 * * 1#5"])
@pytest.mark.parametrize("zone", ["Europe/Brussels", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
def test_rare_ticks_are_found_across_many_changes_of_the_clock(cron: str, zone: str) -> None:
    found = list(islice(cron_ticks(cron, ZoneInfo(zone), 1.8e9), 5))
    assert found == sorted(set(found))
    assert len(found) == 5


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 0 31 4 *", "0 0 */2 2 1#5 *", "0 0 0 8-14 2 1#1,1#5"])
def test_an_expression_without_any_time_is_refused_or_ends(cron: str) -> None:
    try:
        schedule = Schedule(name="s", job=JOB, cron=cron, tz="Europe/Brussels")
    except JobInvalid as e:
        assert e.field == "cron"
    else:
        assert next(schedule.ticks_after(1.8e9), None) is not None


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("5-5/10 0 * * *", "5 0 * * *"),
        ("7,05-5/10,20 0 * * *", "5,7,20 0 * * *"),
        ("0 0 * mar-MAR/2 *", "0 0 * 3 *"),
        ("0 0 * * 3-wed/2", "0 0 * * 3"),
        ("10-20/10 0 * * *", "10,20 0 * * *"),
        ("5/20 0 * * *", "5,25,45 0 * * *"),
    ],
)
def test_a_range_of_one_value_has_nothing_to_step_over(cron: str, same: str) -> None:
    assert list(islice(cron_ticks(cron, ZoneInfo("UTC"), 1.8e9), 9)) == list(
        islice(cron_ticks(same, ZoneInfo("UTC"), 1.8e9), 9)
    )


@pytest.mark.parametrize(
    "cron", ["5-5/0 * * * *", "1-2-2/3 * * * *", "2-2/3/4 * * * *", "x-x/2 * * * *", "2-2/ * * * *"]
)
def test_a_range_of_one_value_hides_no_mistake(cron: str) -> None:
    with pytest.raises(JobInvalid, match="the minute must be from 0 to 59"):
        Schedule(name="s", job=JOB, cron=cron)


def test_ticks_end_with_the_last_year_that_can_be_told() -> None:
    end_s = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
    assert len(list(cron_ticks("0 12 * * *", ZoneInfo("Europe/Brussels"), end_s))) <= 2
    assert len(list(cron_ticks("0 0 12 * * *", ZoneInfo("Europe/Brussels"), end_s))) <= 2
