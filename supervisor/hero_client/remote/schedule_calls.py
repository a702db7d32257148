"""The calls of `Supervisor` on schedules, as `calls` has the others. Pure: the clients ask them."""

from __future__ import annotations

from collections.abc import Sequence

from hero_client.remote.calls import Ask, Asking
from hero_job.model.fields.checks import milliseconds
from hero_job.operations.schedules import Schedule


def put_schedule(schedule: Schedule) -> Asking[int]:
    """See `Supervisor`."""
    names = ("name", "cron", "interval_s", "tz")
    params = {name: getattr(schedule, name) for name in names} | {"job": dict(schedule.job)}
    params |= {"overlap": schedule.overlap.value, "missed": schedule.missed.value}
    return milliseconds((yield Ask("create_schedule", params))["next_at"])


def list_schedules() -> Asking[list[Schedule]]:
    """See `Supervisor`."""
    names = Schedule.__dataclass_fields__
    rows = yield Ask("list_schedules")
    return [Schedule(**{name: value for name, value in row.items() if name in names}) for row in rows]


def next_ticks(names: Sequence[str]) -> Asking[list[int | None]]:
    """See `Supervisor`."""
    at = {row["name"]: row["next_at"] for row in (yield Ask("list_schedules"))} if names else {}
    return [None if at.get(name) is None else milliseconds(at[name]) for name in names]


def pause_schedule(name: str) -> Asking[bool]:
    """See `Supervisor`."""
    before = {row["name"]: row for row in (yield Ask("list_schedules"))}.get(name)
    if before is None:
        return False
    (yield Ask("pause_schedule", {"name": name}))
    return not before["paused"]


def resume_schedule(name: str) -> Asking[int | None]:
    """See `Supervisor`."""
    if name not in {row["name"] for row in (yield Ask("list_schedules"))}:
        return None
    next_at = (yield Ask("resume_schedule", {"name": name}))["next_at"]
    return None if next_at is None else milliseconds(next_at)


def delete_schedule(name: str) -> Asking[bool]:
    """See `Supervisor`."""
    if name not in {schedule.name for schedule in (yield from list_schedules())}:
        return False
    (yield Ask("delete_schedule", {"name": name}))
    return True
