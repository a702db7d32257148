"""The methods that list jobs: the newest, those that wait, are delayed, are blocked or run; and the search.

Invariant: a list costs a bounded number of round trips and looks, however many jobs the store has; only `search_jobs`
walks through all keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import check_route
from hero_job.model.job import ScriptType
from hero_job.model.overview.pages import ListPage
from hero_job.model.overview.selection import JobSelection
from hero_job.operations.overview.lists import QueueName
from hero_supervisor.rpc.methods import shapes
from hero_supervisor.rpc.methods.job_shapes import JobView, job_view
from hero_supervisor.rpc.methods.overview import list_shapes
from hero_supervisor.rpc.methods.overview.selection_params import (
    BatchName,
    GroupName,
    IdPrefix,
    JobFilterParams,
    KindName,
    ListCursor,
    PageCount,
    SearchText,
    Time,
    selection_of,
)
from hero_supervisor.rpc.methods.shapes import Owner, Word
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Most round trips of one call whose filter leaves most jobs out; each looks at 500 jobs.
MAX_TRIPS: Final = 5

_Queue = Annotated[Word | None, Field(description="Script type of the queue; null for all queues.")]
_Keys = Annotated[int, Field(ge=1, le=5_000, description="About how many keys of the store to look at.")]


class ListMethods:
    """The methods that list jobs.

    Args:
        supervisor: Whose jobs.
    """

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor

    async def list_jobs(  # noqa: PLR0917  # a client may give any of its parameters by position
        self,
        cursor: ListCursor = "",
        count: PageCount = 100,
        status: Word | None = None,
        script_type: Word | None = None,
        caller_id: Owner | None = None,
        context_id: Owner | None = None,
        created_after: Time = None,
        created_before: Time = None,
        batch: BatchName | None = None,
        group: GroupName | None = None,
        error_kind: KindName | None = None,
        id_prefix: IdPrefix | None = None,
        text: SearchText | None = None,
    ) -> shapes.JobList:
        """Return up to `count` jobs, the newest move first; repeat with the returned cursor until it is empty.

        Jobs that have moved recently come first, then those that have waited, run or failed for longer. A page may be
        empty although more follow. Keys that cannot be read as a job are listed only when there is no filter. Jobs that
        ended so long ago that the store's events no longer have them, and those that other programs have created but
        not queued, are found by search_jobs.
        """
        wanted = selection_of(
            status=status, script_type=script_type, caller_id=caller_id, context_id=context_id,
            created_after=created_after, created_before=created_before, batch=batch, group=group,
            error_kind=error_kind, id_prefix=id_prefix, text=text,
        )  # fmt: skip
        jobs: list[JobView] = []
        damaged: list[shapes.DamagedJob] = []
        for _ in range(MAX_TRIPS):
            page = await self._supervisor.list_jobs(cursor, count - len(jobs), wanted)
            jobs += [job_view(listed.record) for listed in page.jobs]
            damaged += list_shapes.damaged_views(page.damaged)
            cursor = page.cursor
            # A page that is not full may be so because its records are large.
            if not cursor or len(jobs) + len(damaged) >= count or (page.jobs and len(page.jobs) < count // 2):
                break
        return {"jobs": jobs, "damaged": damaged, "cursor": cursor}

    async def list_waiting(  # noqa: PLR0917  # a client may give any of its parameters by position
        self,
        cursor: ListCursor = "",
        count: PageCount = 100,
        script_type: _Queue = None,
        group: GroupName | None = None,
        instance: GroupName | None = None,
        filter: JobFilterParams | None = None,
    ) -> list_shapes.WaitingJobs:
        """Return the jobs that wait in a queue, or in all queues, in the order in which actors will claim them.

        `place` counts the ids in the list before the job, from 1. The list of a paused queue comes last; so do jobs of
        low priority, with places of their own. The id of a job that was stopped counts until an actor meets it.
        """
        queue = _queue_name(script_type, group, instance)
        wanted = selection_of(**(filter or {}))
        return list_shapes.waiting_view(await self._supervisor.list_waiting(queue, cursor, count, wanted))

    async def list_delayed(
        self, cursor: ListCursor = "", count: PageCount = 100, filter: JobFilterParams | None = None
    ) -> list_shapes.DelayedJobs:
        """Return the jobs that wait for their time, the soonest first."""
        wanted = selection_of(**(filter or {}))
        return list_shapes.delayed_view(await self._supervisor.list_delayed(cursor, count, wanted))

    async def list_blocked(
        self, cursor: ListCursor = "", count: PageCount = 100, filter: JobFilterParams | None = None
    ) -> list_shapes.BlockedJobs:
        """Return the jobs that wait for prerequisites or in line for a key, the longest first; see explain_job."""
        wanted = selection_of(**(filter or {}))
        return list_shapes.blocked_view(await self._supervisor.list_blocked(cursor, count, wanted))

    async def list_active(
        self, cursor: ListCursor = "", count: PageCount = 100, filter: JobFilterParams | None = None
    ) -> list_shapes.RunningJobs:
        """Return the jobs that actors have claimed, with actor, host and lane.

        While jobs are fast, a lane claims several and runs them one after another.
        """
        wanted = selection_of(**(filter or {}))
        page: ListPage = await self._supervisor.list_active(cursor, count, wanted)
        actors = {actor.incarnation: (actor.name, actor.host) for actor in await self._supervisor.list_actors()}
        return list_shapes.running_view(page, actors)

    async def search_jobs(
        self, cursor: ListCursor = "", count: _Keys = 2000, filter: JobFilterParams | None = None
    ) -> list_shapes.FoundJobs:
        """Look for jobs among all keys of the store, a page of keys per call, until the cursor is empty.

        A search takes long in a large store; `walked` and `total` tell how far it has come. Jobs are in no order, and a
        page may repeat a job of an earlier one.
        """
        wanted: JobSelection = selection_of(**(filter or {}))
        page = await self._supervisor.search_jobs(cursor, count, wanted)
        return {
            "jobs": [list_shapes.row_view(record) for record in page.records],
            "damaged": list_shapes.damaged_views(page.damaged),
            "cursor": page.cursor,
            "walked": page.walked,
            "total": page.total,
        }


def _queue_name(script_type: str | None, group: str | None, instance: str | None) -> QueueName | None:
    if script_type is None:
        if group is not None or instance is not None:
            raise JobInvalid("script_type", "a group belongs to a script type; name the script type too")
        return None
    if group is not None:
        check_route("group", group)
    if instance is not None:
        check_route("instance", instance)
        if group is None:
            raise JobInvalid("instance", "an instance belongs to a group; name the group too")
    return ScriptType.parse(script_type), group, instance


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor) -> None:
    """Register the methods that list jobs."""
    methods = ListMethods(supervisor)
    add = dispatcher.register
    add("list_jobs", methods.list_jobs, error_codes=STORE_CODES)
    add("list_waiting", methods.list_waiting, error_codes=STORE_CODES)
    add("list_delayed", methods.list_delayed, error_codes=STORE_CODES)
    add("list_blocked", methods.list_blocked, error_codes=STORE_CODES)
    add("list_active", methods.list_active, error_codes=STORE_CODES)
    add("search_jobs", methods.search_jobs, error_codes=STORE_CODES)
