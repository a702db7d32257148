"""What is stored of schedules: their next ticks, their last jobs, pauses, and what is due."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hero_job.client.store import Store
from hero_job.operations.schedules import Missed, Schedule, Schedules
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is

JOB = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}
FAR_MS = 10**14


@pytest.fixture
def schedules(namespace: str) -> Schedules:
    return Schedules(namespace)


@pytest.fixture
def put(store: Store, schedules: Schedules) -> Callable[[str, int], Schedule]:
    """Return what stores a schedule with its first tick."""

    def put(name: str, first_ms: int) -> Schedule:
        schedule = Schedule(name=name, job=JOB, interval_s=60)
        store.run(schedules.put(schedule, first_ms))
        return schedule

    return put


Put = Callable[[str, int], Schedule]


def test_a_schedule_is_read_as_it_was_stored(store: Store, schedules: Schedules, put: Put) -> None:
    assert store.run(schedules.get("a")) is None
    assert store.run(schedules.next_tick("a")) is None
    stored = put("a", 5)
    assert store.run(schedules.get("a")) == stored
    assert store.run(schedules.next_tick("a")) == 5
    assert store.run(schedules.last_job("a")) is None
    put("b", 7)
    assert [one.name for one in store.run(schedules.list())] == ["a", "b"]
    assert store.run(schedules.next_ticks(["b", "none", "a"])) == (7, None, 5)


def test_a_schedule_moves_on_once_and_remembers_its_last_job(store: Store, schedules: Schedules, put: Put) -> None:
    put("a", 5)
    assert store.run(schedules.move_on("a", 5, 8, "j1"))
    assert not store.run(schedules.move_on("a", 5, 9, "j2")), "another supervisor has done so"
    assert store.run(schedules.next_tick("a")) == 8
    assert store.run(schedules.last_job("a")) == "j1"
    assert store.run(schedules.move_on("a", 8, 9, None))
    assert store.run(schedules.last_jobs(["none", "a"])) == (None, "j1"), "a tick without a job keeps the last one"
    assert [one.name for one in store.run(schedules.list())] == ["a"]
    assert store.run(schedules.move_on("a", 9, None, "j3"))
    assert store.run(schedules.next_tick("a")) is None, "there are no more ticks"
    assert store.run(schedules.last_job("a")) == "j3"


def test_a_schedule_that_is_replaced_or_deleted_is_not_moved_on(store: Store, schedules: Schedules, put: Put) -> None:
    put("a", 5)
    put("a", 6)
    assert not store.run(schedules.move_on("a", 5, 9, "j"))
    assert store.run(schedules.delete("a"))
    assert not store.run(schedules.delete("a"))
    assert not store.run(schedules.move_on("a", 6, 9, "j"))
    assert store.run(schedules.next_tick("a")) is None
    assert store.run(schedules.last_job("a")) is None


def test_a_paused_schedule_has_no_tick_until_it_is_resumed(store: Store, schedules: Schedules, put: Put) -> None:
    put("a", 5)
    assert not store.run(schedules.resume("a", 9)), "it was not paused"
    assert store.run(schedules.next_tick("a")) == 5
    assert store.run(schedules.pause("a"))
    assert not store.run(schedules.pause("a"))
    assert not store.run(schedules.move_on("a", 5, 9, "j")), "a supervisor does not put it back"
    assert store.run(schedules.due()).schedules == ()
    assert store.run(schedules.get("a")) is not None
    assert store.run(schedules.resume("a", 9))
    assert store.run(schedules.next_tick("a")) == 9


def test_what_is_due_comes_in_the_order_of_the_ticks_with_the_time_of_the_next_one(
    store: Store, schedules: Schedules, put: Put
) -> None:
    assert store.run(schedules.due()).next_s is None
    for name, tick in (("b", 5), ("a", 7), ("later", FAR_MS), ("latest", FAR_MS + 1_000_000)):
        put(name, tick)
    store.run(schedules.move_on("b", 5, 6, "last"))
    due = store.run(schedules.due())
    assert [(one.schedule.name, one.tick_ms, one.last_job_id) for one in due.schedules] == [
        ("b", 6, "last"),
        ("a", 7, None),
    ]
    assert due.next_s is not None
    assert abs(due.now_ms + due.next_s * 1000 - FAR_MS) < 2
    assert [one.schedule.name for one in store.run(schedules.due(1)).schedules] == ["b"]
    assert [one.schedule.name for one in store.run(schedules.due(1, 1)).schedules] == ["a"]
    assert store.run(schedules.due(5, 2)).schedules == ()


def test_the_tick_of_a_schedule_that_is_gone_is_dropped(
    store: Store, schedules: Schedules, namespace: str, put: Put
) -> None:
    put("a", 5)
    ticks = Keys(namespace).ticks
    store.run(Op(("ZADD", ticks, 4, "gone"), as_is))
    assert [one.schedule.name for one in store.run(schedules.due()).schedules] == ["a"]
    assert store.run(Op(("ZRANGE", ticks, 0, -1), list)) == ["a"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "Every second"), (5, "Every 5 seconds"), (60, "Every minute"), (90, "Every 90 seconds"),
        (120, "Every 2 minutes"), (3600, "Every hour"), (7200, "Every 2 hours"), (1.5, "Every 1.5 seconds"),
    ],
)  # fmt: skip
def test_an_interval_is_said_in_the_largest_unit_that_it_fills(seconds: float, words: str) -> None:
    assert Schedule(name="s", job=JOB, interval_s=seconds).in_words() == words


def test_a_cron_expression_is_said_in_words() -> None:
    assert "02:30" in Schedule(name="s", job=JOB, cron="30 2 * * *").in_words()
    days = Schedule(name="s", job=JOB, cron="0 0 3,11,12,13,20,21,22,23,24,30,31 * *").in_words()
    for day in ("11th", "12th", "13th", "20th", "21st", "22nd", "23rd", "24th", "30th", "31st"):
        assert f"the {day}" in days


def test_a_tick_is_skipped_only_if_it_is_later_than_a_minute() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=3600, missed=Missed.SKIP)
    hour_ms = 3_600_000
    assert schedule.due(hour_ms, hour_ms + 60_000) == ([hour_ms], 2 * hour_ms)
    assert schedule.due(hour_ms, hour_ms + 60_001) == ([], 2 * hour_ms)
    assert schedule.due(hour_ms, 2 * hour_ms) == ([2 * hour_ms], 3 * hour_ms), "a tick of this very moment has come"


def test_the_job_of_a_tick_has_its_time_in_its_id() -> None:
    schedule = Schedule(name="s", job=JOB, interval_s=60)
    assert schedule.job_at(60_000).id == "s@1970-01-01T00:01:00Z"
    assert schedule.job_at(60_000, again=2).id == "s@1970-01-01T00:01:00Z.2"
