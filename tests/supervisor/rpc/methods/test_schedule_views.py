"""What JSON-RPC tells of a schedule."""

from __future__ import annotations

from typing import Any

from tests.deployment import Deployment
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
