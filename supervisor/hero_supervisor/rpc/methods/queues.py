"""The methods on queues and schedules.

Invariant: clients name a queue by script type, group and instance, never by its key in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import check_route
from hero_job.model.fields.limits import MAX_ROUTE
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.schedules import MAX_CRON, Missed, Overlap, Schedule
from hero_supervisor.rpc.methods import results
from hero_supervisor.rpc.methods.job_shapes import JobObject
from hero_supervisor.rpc.methods.shapes import Word
from hero_supervisor.rpc.protocol import rpc_errors
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

_Route = Annotated[str, Field(max_length=MAX_ROUTE)]
_Group = Annotated[_Route | None, Field(description="The queue of this group.")]
_Instance = Annotated[_Route | None, Field(description="The queue of this instance of the group.")]
_Name = Annotated[_Route, Field(min_length=1, description="Name of a schedule.")]
_Cron = Annotated[str, Field(max_length=MAX_CRON)]
_QueueName = tuple[ScriptType, str | None, str | None]


class QueueMethods:
    """The methods on queues and schedules.

    Args:
        supervisor: Where jobs go.
    """

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor

    async def list_queues(self) -> list[results.QueueView]:
        """Return each queue with the number of waiting jobs and, if it is paused, since when.

        The queue of each script type is listed always, the queue of a group while an actor of the group is known.
        """
        return [results.queue_view(queue) for queue in await self._supervisor.list_queues()]

    async def pause_queue(
        self, script_type: Word, group: _Group = None, instance: _Instance = None
    ) -> results.QueueView:
        """Pause a queue: its jobs and new ones wait, running jobs go on. Pausing it again changes nothing."""
        parsed = _queue_name(script_type, group, instance)
        await self._supervisor.pause_queue(*parsed)
        return await self._queue(parsed)

    async def resume_queue(
        self, script_type: Word, group: _Group = None, instance: _Instance = None
    ) -> results.QueueView:
        """Resume a paused queue."""
        parsed = _queue_name(script_type, group, instance)
        await self._supervisor.resume_queue(*parsed)
        return await self._queue(parsed)

    async def purge_queue(
        self, script_type: Word, group: _Group = None, instance: _Instance = None
    ) -> results.QueuePurged:
        """Stop all jobs that wait in a queue, paused or not; each ends as stopped, with a reply. Running jobs go on."""
        return {"stopped": await self._supervisor.purge_queue(*_queue_name(script_type, group, instance))}

    async def create_schedule(  # noqa: PLR0917  # a client may give any of its parameters by position
        self,
        name: _Name,
        job: JobObject,
        cron: Annotated[_Cron | None, Field(description="Five fields, or six with the seconds first.")] = None,
        interval_s: Annotated[float | None, Field(description="Seconds between ticks, instead of cron.")] = None,
        tz: Annotated[Word, Field(description="Time zone of cron, by its IANA name.")] = "UTC",
        overlap: Annotated[Word, Field(description="skip or allow, while the last job runs.")] = Overlap.SKIP.value,
        missed: Annotated[
            Word, Field(description="skip, once or all, for ticks missed while no supervisor ran.")
        ] = Missed.ONCE.value,
    ) -> results.ScheduleView:
        """Create a job repeatedly, by cron or interval; an existing schedule of this name is replaced.

        Do not give the job an id. Its id consists of the schedule's name and the tick, so each tick creates one job, no
        matter how many supervisors run.
        """
        schedule = Schedule(
            name=name,
            job=job,
            cron=cron,
            interval_s=interval_s,
            tz=tz,
            overlap=overlap,  # type: ignore[arg-type]  # Schedule parses the word, and its error names a wrong one
            missed=missed,  # type: ignore[arg-type]  # as above
        )
        await self._supervisor.put_schedule(schedule)
        return (await self._views([schedule]))[0]

    async def list_schedules(self) -> list[results.ScheduleView]:
        """Return all schedules by name, with their last job and the time of their next one, or that they are paused."""
        return await self._views(await self._supervisor.list_schedules())

    async def pause_schedule(self, name: _Name) -> results.ScheduleView:
        """Let a schedule create no jobs until it is resumed; a job that runs goes on. Pausing it again changes nothing.

        `create_schedule` of this name resumes it, too.
        """
        await self._supervisor.pause_schedule(name)
        return await self._schedule(name)

    async def resume_schedule(self, name: _Name) -> results.ScheduleView:
        """Resume a paused schedule; it goes on with its next tick, and what it missed stays missed."""
        await self._supervisor.resume_schedule(name)
        return await self._schedule(name)

    async def delete_schedule(self, name: _Name) -> None:
        """Delete a schedule; the jobs that it has created stay."""
        if not await self._supervisor.delete_schedule(name):
            raise rpc_errors.schedule_not_found(name)

    async def _schedule(self, name: str) -> results.ScheduleView:
        for schedule in await self._supervisor.list_schedules():
            if schedule.name == name:
                return (await self._views([schedule]))[0]
        raise rpc_errors.schedule_not_found(name)

    async def _views(self, schedules: Sequence[Schedule]) -> list[results.ScheduleView]:
        if not schedules:
            return []
        supervisor, names = self._supervisor, [schedule.name for schedule in schedules]
        last_ids = await supervisor.store.run(supervisor.schedules.last_jobs(names))
        asked = [job_id for job_id in last_ids if job_id is not None]
        found = await supervisor.store.run_many([supervisor.operations.status(job_id) for job_id in asked])
        # A job that is past its retention or cannot be read has no status.
        statuses = {
            job_id: status for job_id, status in zip(asked, found, strict=True) if isinstance(status, JobStatus)
        }
        return [
            results.schedule_view(schedule, next_ms, last_id, statuses.get(last_id or ""))
            for schedule, next_ms, last_id in zip(schedules, await supervisor.next_ticks(names), last_ids, strict=True)
        ]

    async def _queue(self, name: _QueueName) -> results.QueueView:
        return results.queue_view(await self._supervisor.get_queue(*name))


def _queue_name(script_type: str, group: str | None, instance: str | None) -> _QueueName:
    if group is not None:
        check_route("group", group)
    if instance is not None:
        check_route("instance", instance)
        if group is None:
            raise JobInvalid("instance", "an instance belongs to a group; name the group too")
    return ScriptType.parse(script_type), group, instance


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor) -> None:
    """Register the methods on queues and schedules."""
    methods = QueueMethods(supervisor)
    add = dispatcher.register
    add("list_queues", methods.list_queues, error_codes=STORE_CODES)
    add("pause_queue", methods.pause_queue, error_codes=STORE_CODES)
    add("resume_queue", methods.resume_queue, error_codes=STORE_CODES)
    add("purge_queue", methods.purge_queue, error_codes=STORE_CODES)
    add("create_schedule", methods.create_schedule, error_codes=STORE_CODES)
    add("list_schedules", methods.list_schedules, error_codes=STORE_CODES)
    of_one = (ErrorCode.SCHEDULE_NOT_FOUND, *STORE_CODES)
    add("pause_schedule", methods.pause_schedule, error_codes=of_one)
    add("resume_schedule", methods.resume_schedule, error_codes=of_one)
    add("delete_schedule", methods.delete_schedule, error_codes=of_one)
