"""Schedules: which ticks there are, which of them get a job, and that each gets one."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from hero_job import JobInvalid, ScriptType
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def ticks(schedule: Schedule, after: str, count: int) -> list[str]:
    found = islice(schedule.ticks_after(ms(after) / 1000), count)
    return [f"{datetime.fromtimestamp(t / 1000, UTC):%m-%dT%H:%M}" for t in found]


def test_a_cron_ticks_in_its_own_zone() -> None:
    schedule = Schedule(name="s", job=JOB, cron="30 9 * * 1-5", tz="Europe/Brussels")

    # A Friday in winter, then the Monday after
    assert ticks(schedule, "2026-11-27T00:00:00Z", 2) == ["11-27T08:30", "11-30T08:30"]


def test_the_hour_that_comes_twice_gets_one_tick_and_the_one_that_is_missing_too() -> None:
    schedule = Schedule(name="s", job=JOB, cron="30 2 * * *", tz="Europe/Brussels")

    assert ticks(schedule, "2026-10-24T12:00:00Z", 2) == ["10-25T00:30", "10-26T01:30"]
    assert len(set(ticks(schedule, "2026-03-28T12:00:00Z", 3))) == 3


def test_an_interval_ticks_at_its_multiples_whoever_computes_it() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=90)

    assert list(islice(schedule.ticks_after(100.0), 3)) == [180_000, 270_000, 360_000]
    assert next(schedule.ticks_after(180.0)) == 270_000


@pytest.mark.parametrize(
    ("missed", "late_ms", "made"),
    [
        ("all", 0, [0]), ("all", 25, [0, 10, 20]),
        ("once", 0, [0]), ("once", 25, [20]),
        ("skip", 0, [0]), ("skip", 25, [20]),
    ],
)  # fmt: skip
def test_missed_ticks_are_treated_by_the_policy(missed: Any, late_ms: int, made: list[int]) -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=10, missed=missed)

    due, following = schedule.due(100_000, 100_000 + late_ms * 1000)

    assert due == [100_000 + n * 1000 for n in made]
    assert following == 100_000 + (late_ms // 10 + 1) * 10_000


def test_a_tick_found_very_late_is_passed_over_where_missed_ones_are_skipped() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=3600, missed="skip")  # type: ignore[arg-type]

    assert schedule.due(3_600_000, 3_600_000 + 61_000) == ([], 7_200_000)
    assert schedule.due(3_600_000, 3_600_000 + 59_000) == ([3_600_000], 7_200_000)


def test_a_century_of_missed_ticks_is_bounded() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=1, missed="all")  # type: ignore[arg-type]

    due, following = schedule.due(1000, 3_000_000_000_500)

    assert len(due) == 1001
    assert following == 3_000_000_001_000


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"cron": "* * *"}, "cron"), ({"cron": "61 * * * *"}, "cron"), ({"cron": "* * * * *", "interval_s": 5}, "cron"),
        ({}, "cron"), ({"interval_s": 0.1}, "interval_s"), ({"cron": "* * * * *", "tz": "Mars/Olympus"}, "tz"),
        ({"interval_s": 5, "overlap": "maybe"}, "overlap"), ({"interval_s": 5, "missed": "maybe"}, "missed"),
        ({"interval_s": 5, "name": "a b"}, "name"), ({"interval_s": 5, "job": {**JOB, "id": "x"}}, "job"),
        ({"interval_s": 5, "job": {}}, "caller_id"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_is_refused_by_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(JobInvalid) as refused:
        Schedule(**{"name": "s", "job": JOB, **fields})

    assert refused.value.field == named


def test_of_many_supervisors_each_tick_gets_one_job(store: Store, operations: Operations, namespace: str) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=1, missed="all")  # type: ignore[arg-type]
    now_ms = store.run(schedules.due()).now_ms
    first = next(schedule.ticks_after(now_ms / 1000 - 5))
    store.run(schedules.put(schedule, first))

    # Five supervisors look, then all of them act on what they saw
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
