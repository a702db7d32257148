"""What JSON-RPC tells of a schedule, and how one is paused and resumed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.transports import Client, job


def test_a_paused_schedule_is_listed_as_paused_and_without_a_next_time(service: Client, deployment: Deployment) -> None:
    service.call("create_schedule", {"name": "rests", "job": job(), "interval_s": 3600})

    def listed_schedule() -> dict[str, Any]:
        (found,) = [one for one in service.call("list_schedules") if one["name"] == "rests"]
        return dict(found)

    before = listed_schedule()
    with deployment.supervisor() as supervisor:
        supervisor.store.run(supervisor.schedules.pause("rests"))
    during = listed_schedule()
    made = service.call("create_schedule", {"name": "rests", "job": job(), "interval_s": 3600})
    after = listed_schedule()
    service.call("delete_schedule", ["rests"])

    assert (before["paused"], before["next_at"][-1]) == (False, "Z")
    assert (during["paused"], during["next_at"]) == (True, None)
    assert (after["paused"], after["next_at"]) == (False, made["next_at"])


def test_a_schedule_is_paused_and_resumed_each_as_often_as_one_likes(service: Client) -> None:
    yearly = {"name": "pauses", "job": job(env_vars={"KEY": "hunter2"}), "cron": "0 0 1 1 *"}
    made = service.call("create_schedule", yearly)

    paused = [service.call("pause_schedule", ["pauses"]), service.call("pause_schedule", {"name": "pauses"})]
    listed = [one for one in service.call("list_schedules") if one["name"] == "pauses"]
    resumed = [service.call("resume_schedule", ["pauses"]), service.call("resume_schedule", {"name": "pauses"})]
    service.call("delete_schedule", ["pauses"])

    resting = {**made, "paused": True, "next_at": None}
    assert paused == [resting, resting]
    assert listed == [resting]
    assert [(one["paused"], one["job"]) for one in resumed] == [(False, made["job"])] * 2
    assert resumed[0]["next_at"] == resumed[1]["next_at"] >= made["next_at"]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"cron": "30 2 * * 1-5"}, "At 02:30 on Monday through Friday"),
        ({"cron": "*/10 * * * * *"}, "Every 10th second of every minute"),
        ({"cron": "0 0 L * *"}, "At 00:00 on the last day of every month"),
        ({"interval_s": 1}, "Every second"),
        ({"interval_s": 90}, "Every 90 seconds"),
        ({"interval_s": 1.5}, "Every 1.5 seconds"),
        ({"interval_s": 7200}, "Every 2 hours"),
        ({"interval_s": 86400}, "Every day"),
    ],
)
def test_a_schedule_says_in_words_when_it_ticks(times: dict[str, Any], words: str) -> None:
    assert Schedule(name="told", job=job(), **times).in_words() == words


def test_the_last_job_of_a_schedule_is_listed_with_its_status_while_it_is_kept(
    service: Client, deployment: Deployment
) -> None:
    def last() -> tuple[str | None, str | None]:
        (found,) = [one for one in service.call("list_schedules") if one["name"] == "last"]
        return found["last_job_id"], found["last_status"]

    service.call("create_schedule", {"name": "last", "job": job(), "cron": "0 0 1 1 *"})
    before = last()
    service.call("create_schedule", {"name": "last", "job": job(), "interval_s": 1})
    eventually(lambda: last()[1] == "finished", what="its first job has ended")
    service.call("pause_schedule", {"name": "last"})
    assert before == (None, None)
    with deployment.supervisor() as supervisor:

        def last_is_deleted() -> bool:
            # A tick may have been under way when it was paused, so the last job can change once more.
            job_id, status = last()
            assert str(job_id).startswith("last@")
            if status == "finished":
                supervisor.delete_job(str(job_id))
            return last() == (job_id, None)

        eventually(last_is_deleted)
    service.call("delete_schedule", ["last"])


def test_a_schedule_that_nobody_made_is_neither_paused_nor_resumed(service: Client) -> None:
    for method in ("pause_schedule", "resume_schedule"):
        error = service.fail(method, ["nowhere"])
        assert (error["code"], error["data"]["name"]) == (ErrorCode.SCHEDULE_NOT_FOUND, "nowhere")
    assert "nowhere" not in [one["name"] for one in service.call("list_schedules")]


def test_python_api_pauses_and_resumes_a_schedule(deployment: Deployment) -> None:
    with deployment.supervisor() as supervisor:
        first_ms = supervisor.put_schedule(Schedule(name="halts", job=job(), cron="0 0 1 1 *"))
        paused = supervisor.pause_schedule("halts"), supervisor.pause_schedule("halts")
        ticks = supervisor.next_ticks(["halts"])
        resumed = supervisor.resume_schedule("halts"), supervisor.resume_schedule("halts")
        supervisor.delete_schedule("halts")
        unknown = supervisor.pause_schedule("halts"), supervisor.resume_schedule("halts")

    assert paused == (True, False)
    assert ticks == [None]
    assert resumed[0] == resumed[1]
    assert (resumed[0] or 0) >= first_ms
    assert unknown == (False, None)


def test_resuming_a_schedule_that_was_replaced_or_deleted_meanwhile_undoes_neither(deployment: Deployment) -> None:
    with deployment.supervisor() as supervisor:
        supervisor.put_schedule(Schedule(name="swaps", job=job(), cron="0 0 1 1 *"))
        supervisor.pause_schedule("swaps")
        replaced_ms = supervisor.put_schedule(Schedule(name="swaps", job=job(), cron="0 0 1 6 *"))
        was_paused = supervisor.store.run(supervisor.schedules.resume("swaps", 1))
        kept = supervisor.next_ticks(["swaps"])
        supervisor.delete_schedule("swaps")
        supervisor.store.run(supervisor.schedules.resume("swaps", round(time.time() * 1000) - 1000))
        due = supervisor.store.run(supervisor.schedules.due())
        names = [one.name for one in supervisor.list_schedules()]
        dropped = supervisor.store.run(supervisor.schedules.next_tick("swaps"))

    assert not was_paused
    assert kept == [replaced_ms]
    assert "swaps" not in names
    assert "swaps" not in [one.schedule.name for one in due.schedules]
    assert dropped is None


def test_pausing_a_schedule_is_recorded_as_a_change(deployment: Deployment) -> None:
    with RawClient(deployment.socket) as client:
        client.call("create_schedule", {"name": "noted", "job": job(), "interval_s": 3600})
        client.call("pause_schedule", ["noted"])
        client.call("resume_schedule", ["noted"])
        client.call("delete_schedule", ["noted"])
        # Other tests of this deployment have changed hundreds of things before.
        entries = client.call("get_audit", {"count": 10_000})["entries"]
        entries = [one for one in entries if "noted" in str(one["params"])]

    methods = ["create_schedule", "pause_schedule", "resume_schedule", "delete_schedule"]
    assert [(one["method"], one["outcome"]) for one in entries][-4:] == [(method, "ok") for method in methods]
