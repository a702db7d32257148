"""Schedules: their ticks, the policy for missed ticks, and one job per tick."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hero_job import JobInvalid, ScriptType
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import MAX_MISSED, Missed, Schedule, Schedules

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def ticks(schedule: Schedule, after: str, count: int) -> list[str]:
    found = islice(schedule.ticks_after(ms(after) / 1000), count)
    return [f"{datetime.fromtimestamp(t / 1000, UTC):%m-%dT%H:%M}" for t in found]


def test_a_cron_expression_ticks_in_its_own_time_zone() -> None:
    schedule = Schedule(name="s", job=JOB, cron="30 9 * * 1-5", tz="Europe/Brussels")

    # A Friday in winter, and the following Monday.
    assert ticks(schedule, "2026-11-27T00:00:00Z", 2) == ["11-27T08:30", "11-30T08:30"]


def test_a_repeated_hour_and_a_skipped_hour_get_one_tick_each() -> None:
    schedule = Schedule(name="s", job=JOB, cron="30 2 * * *", tz="Europe/Brussels")

    assert ticks(schedule, "2026-10-24T12:00:00Z", 2) == ["10-25T00:30", "10-26T01:30"]
    assert len(set(ticks(schedule, "2026-03-28T12:00:00Z", 3))) == 3


def test_an_interval_ticks_at_its_multiples_so_all_supervisors_agree() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=90)

    assert list(islice(schedule.ticks_after(100.0), 3)) == [180_000, 270_000, 360_000]
    assert next(schedule.ticks_after(180.0)) == 270_000


@pytest.mark.parametrize(
    ("missed", "late_ms", "made"),
    [
        (Missed.ALL, 0, [0]), (Missed.ALL, 25, [0, 10, 20]),
        (Missed.ONCE, 0, [0]), (Missed.ONCE, 25, [20]),
        (Missed.SKIP, 0, [0]), (Missed.SKIP, 25, [20]),
    ],
)  # fmt: skip
def test_the_policy_decides_what_becomes_of_missed_ticks(missed: Missed, late_ms: int, made: list[int]) -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=10, missed=missed)

    due, following = schedule.due(100_000, 100_000 + late_ms * 1000)

    assert due == [100_000 + n * 1000 for n in made]
    assert following == 100_000 + (late_ms // 10 + 1) * 10_000


def test_a_tick_that_is_found_a_minute_late_is_skipped_with_missed_skip() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=3600, missed=Missed.SKIP)

    assert schedule.due(3_600_000, 3_600_000 + 61_000) == ([], 7_200_000)
    assert schedule.due(3_600_000, 3_600_000 + 59_000) == ([3_600_000], 7_200_000)


def test_after_a_century_only_a_bounded_number_of_ticks_is_made_up_for() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=1, missed=Missed.ALL)

    due, following = schedule.due(1000, 3_000_000_000_500)

    assert len(due) == MAX_MISSED == 1000
    assert following == 3_000_000_001_000


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"cron": "* * *"}, "cron"), ({"cron": "61 * * * *"}, "cron"), ({"cron": "* * * * *", "interval_s": 5}, "cron"),
        ({}, "cron"), ({"interval_s": 0.1}, "interval_s"), ({"cron": "* * * * *", "tz": "Mars/Olympus"}, "tz"),
        ({"interval_s": 5, "overlap": "maybe"}, "overlap"), ({"interval_s": 5, "missed": "maybe"}, "missed"),
        ({"interval_s": 5, "name": "a b"}, "name"), ({"interval_s": 5, "job": {**JOB, "id": "x"}}, "job"),
        ({"interval_s": 5, "job": {}}, "caller_id"),
    ],
)  # fmt: skip
def test_an_invalid_schedule_is_refused_with_the_name_of_the_field(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(JobInvalid) as refused:
        Schedule(**{"name": "s", "job": JOB, **wrong})

    assert refused.value.field == named


@pytest.mark.parametrize("name", [field.name for field in fields(Schedule)])
@pytest.mark.parametrize("value", [5, True, [1], {"a": 1}, b"x", "\ud800", float("nan"), object()])
def test_a_value_of_any_other_type_is_refused_with_the_name_of_the_field(name: str, value: object) -> None:
    schedule = {"name": "s", "job": JOB, "cron": None if name == "interval_s" else "* * * * *", name: value}
    if (name, value) == ("interval_s", 5):
        assert Schedule(**schedule).interval_s == 5  # type: ignore[arg-type]
        return

    with pytest.raises(JobInvalid) as refused:
        Schedule(**schedule)  # type: ignore[arg-type]

    assert refused.value.field == ("a" if (name, value) == ("job", {"a": 1}) else name)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("61 * * * *", "minute must be from 0 to 59"), ("0 24 * * *", "hour must be from 0 to 23"),
        ("0 0 32 * *", "from 1 to 31"), ("0 0 31 2 *", "in one of the months"), ("0 0 * 13 *", "from 1 to 12"),
        ("0 0 * * 8", "from 0 \\(Sunday\\) to 7"),
        ("0 0 * * FRI-SUN", "Friday to Sunday is 5-7"), ("60 0 0 * * *", "second must be from 0 to 59"),
        ("daily", "five fields: minute, hour"), ("1 2 3 4 5 6 7", "five fields"),
    ],
)  # fmt: skip
def test_a_wrong_cron_expression_is_told_with_what_may_be_there_and_an_example(cron: str, words: str) -> None:
    with pytest.raises(JobInvalid, match=f'{words}.*; for example "30 2 . . 1-5"'):
        Schedule(name="s", job=JOB, cron=cron)


def test_each_tick_gets_one_job_from_many_supervisors(store: Store, operations: Operations, namespace: str) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=1, missed=Missed.ALL)
    now_ms = store.run(schedules.due()).now_ms
    first = next(schedule.ticks_after(now_ms / 1000 - 5))
    store.run(schedules.put(schedule, first))

    # Five supervisors read the schedule before any of them acts.
    seen = [store.run(schedules.due()) for _ in range(5)]
    moved = 0
    for due in seen:
        (found,) = due.schedules
        made, following = found.schedule.due(found.tick_ms, due.now_ms)
        assert len(made) >= 5
        for tick in made:
            store.run(operations.create(found.schedule.job_at(tick), start=True))
        moved += store.run(schedules.move_on("s", found.tick_ms, following, "last"))

    assert moved == 1
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == len(made)
    assert store.run(schedules.list()) == [schedule]
    assert store.run(schedules.delete("s"))
    assert not store.run(schedules.delete("s"))
    assert store.run(schedules.due()).schedules == ()


@pytest.mark.parametrize("cron", ["*/90 * * * *", "0 */48 * * *", "*/120 * * * * *", "0 0 */45 * *", "1/75 * * * *"])
def test_a_step_that_its_field_cannot_hold_is_refused(cron: str) -> None:
    with pytest.raises(JobInvalid, match="step"):
        Schedule(name="s", job=JOB, cron=cron)


@pytest.mark.parametrize("cron", ["*/59 * * * *", "0 */23 * * *", "*/30 * * * * *", "0 0 */15 * *", "0 0 1/3 */11 */6"])
def test_a_step_that_its_field_can_hold_is_taken(cron: str) -> None:
    Schedule(name="s", job=JOB, cron=cron)


def test_a_schedule_that_is_made_again_knows_nothing_of_the_jobs_of_the_old_one(store: Store, namespace: str) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=10)
    store.run(schedules.put(schedule, 1))
    assert store.run(schedules.move_on("s", 1, 2, "its job"))
    (due,) = store.run(schedules.due()).schedules
    assert due.last_job_id == "its job"

    assert store.run(schedules.delete("s"))
    store.run(schedules.put(schedule, 1))

    (due,) = store.run(schedules.due()).schedules
    assert due.last_job_id is None


@given(
    st.one_of(st.floats(1, 4), st.integers(10, 40_000).map(lambda tenths: tenths / 10), st.just(1.0005)),
    st.integers(1_700_000_000_000, 1_900_000_000_000),
)
@example(41.4, 1_703_846_729_000)
@example(4 / 3, 1_790_625_720_304)
def test_every_tick_of_an_interval_is_later_than_the_one_before_and_has_a_job_of_its_own(
    interval_s: float, after_ms: int
) -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=interval_s)

    found = [after_ms]
    for _ in range(4):
        found.append(next(schedule.ticks_after(found[-1] / 1000)))

    assert found == sorted(set(found))
    assert list(islice(schedule.ticks_after(after_ms / 1000), 4)) == found[1:]
    assert len({schedule.job_at(tick).id for tick in found[1:]}) == 4
    due, following = schedule.due(found[1], found[1])
    assert (due, following) == (found[1:2], found[2])


def test_an_interval_below_a_second_is_refused_because_two_of_its_ticks_would_be_one_job() -> None:
    with pytest.raises(JobInvalid, match=r"interval_s.*from 1, not 0\.9995"):
        Schedule(name="s", job=JOB, interval_s=0.9995)
