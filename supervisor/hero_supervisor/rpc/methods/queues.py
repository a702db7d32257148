"""The methods on queues and schedules, and the figures of the whole.

Invariant: a queue is named by script type, group and instance, never by its key in the store.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from hero_job.model.checks import check_route
from hero_job.model.errors import JobInvalid
from hero_job.model.job import ScriptType
from hero_job.operations.schedules import Missed, Overlap, Schedule
from hero_supervisor.rpc.methods import results
from hero_supervisor.rpc.methods.shapes import JobObject
from hero_supervisor.rpc.protocol import error_codes as errors
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

_STORE: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
_Group = Annotated[str | None, Field(description="Queue of this group only.")]
_Instance = Annotated[str | None, Field(description="Queue of this instance of the group only.")]
_Name = Annotated[str, Field(min_length=1, max_length=100, description="Name of a schedule.")]
_QueueName = tuple[ScriptType, str | None, str | None]


class QueueMethods:
    """What is offered over JSON-RPC on queues and schedules.

    Args:
        supervisor: Where jobs go.
    """

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor
        self._started_mono = time.monotonic()

    async def list_queues(self) -> list[results.QueueView]:
        """Return every queue that an actor serves, and that of each script type: how many wait, and since when paused.

        A queue of a group is listed while an actor of the group is known.
        """
        return [results.queue_view(queue) for queue in await self._supervisor.list_queues()]

    async def pause_queue(
        self, script_type: str, group: _Group = None, instance: _Instance = None
    ) -> results.QueueView:
        """Pause a queue: what is in it and what comes waits, what runs goes on. Pausing twice changes nothing."""
        parsed = _queue_name(script_type, group, instance)
        await self._supervisor.pause_queue(*parsed)
        return await self._queue(parsed)

    async def resume_queue(
        self, script_type: str, group: _Group = None, instance: _Instance = None
    ) -> results.QueueView:
        """Resume a paused queue."""
        parsed = _queue_name(script_type, group, instance)
        await self._supervisor.resume_queue(*parsed)
        return await self._queue(parsed)

    async def purge_queue(
        self, script_type: str, group: _Group = None, instance: _Instance = None
    ) -> results.QueuePurged:
        """Stop all jobs that wait in a queue, paused or not: each ends as stopped, with its reply. What runs stays."""
        return {"stopped": await self._supervisor.purge_queue(*_queue_name(script_type, group, instance))}

    async def stats(self) -> results.Stats:
        """Return the deployment in figures: queues, actors, dead letters."""
        actors = await self._supervisor.list_actors()
        alive = [actor for actor in actors if actor.beat_at is not None]
        return {
            "queues": await self.list_queues(),
            "actors": {
                "alive": len(alive),
                "silent": len(actors) - len(alive),
                "lanes": sum(actor.lanes for actor in alive),
                "busy": sum(actor.busy for actor in alive),
            },
            "dead": await self._supervisor.count_dead(),
            "uptime_s": round(time.monotonic() - self._started_mono, 3),
        }

    async def create_schedule(  # noqa: PLR0917  # a client may give any of its parameters by position
        self,
        name: _Name,
        job: JobObject,
        cron: Annotated[str | None, Field(description="Five fields, or six with the seconds first.")] = None,
        interval_s: Annotated[float | None, Field(description="From tick to tick, instead of cron.")] = None,
        tz: Annotated[str, Field(description="Time zone of cron, by its IANA name.")] = "UTC",
        overlap: Annotated[str, Field(description="While the last job runs: skip or allow.")] = Overlap.SKIP.value,
        missed: Annotated[str, Field(description="After an absence: skip, once or all.")] = Missed.ONCE.value,
    ) -> results.ScheduleView:
        """Create a job again and again, by cron or interval; a schedule of this name is replaced.

        The job has no id: it is made of the schedule's name and the tick, so that each tick gives one job however many
        supervisors run.
        """
        schedule = Schedule(
            name=name,
            job=job,
            cron=cron,
            interval_s=interval_s,
            tz=tz,
            overlap=overlap,  # type: ignore[arg-type]  # it reads the word, and complains of a wrong one by name
            missed=missed,  # type: ignore[arg-type]  # as above
        )
        return results.schedule_view(schedule, await self._supervisor.put_schedule(schedule))

    async def list_schedules(self) -> list[results.ScheduleView]:
        """Return all schedules, by name."""
        now_s = time.time()
        schedules = await self._supervisor.list_schedules()
        return [results.schedule_view(schedule, next(schedule.ticks_after(now_s))) for schedule in schedules]

    async def delete_schedule(self, name: _Name) -> None:
        """Delete a schedule; the jobs that it has made stay."""
        if not await self._supervisor.delete_schedule(name):
            raise errors.schedule_not_found(name)

    async def _queue(self, name: _QueueName) -> results.QueueView:
        return results.queue_view(await self._supervisor.get_queue(*name))


def _queue_name(script_type: str, group: str | None, instance: str | None) -> _QueueName:
    if group is not None:
        check_route("group", group)
    if instance is not None:
        check_route("instance", instance)
        if group is None:
            raise JobInvalid("instance", "an instance is a member of a group: name the group too")
    return ScriptType.parse(script_type), group, instance


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor) -> None:
    """Offer the methods on queues and schedules."""
    methods = QueueMethods(supervisor)
    add = dispatcher.register
    add("list_queues", methods.list_queues, error_codes=_STORE)
    add("pause_queue", methods.pause_queue, error_codes=_STORE)
    add("resume_queue", methods.resume_queue, error_codes=_STORE)
    add("purge_queue", methods.purge_queue, error_codes=_STORE)
    add("create_schedule", methods.create_schedule, error_codes=_STORE)
    add("list_schedules", methods.list_schedules, error_codes=_STORE)
    add("delete_schedule", methods.delete_schedule, error_codes=(ErrorCode.SCHEDULE_NOT_FOUND, *_STORE))
    add("stats", methods.stats, error_codes=_STORE)
