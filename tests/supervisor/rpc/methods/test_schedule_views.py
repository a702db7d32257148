"""What JSON-RPC tells of a schedule, and how one is paused and resumed."""

from __future__ import annotations

import time
from typing import Any

from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.deployment import Deployment
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
