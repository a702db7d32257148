"""The asyncio client of a deployment: the calls of `Supervisor`, to be awaited.

The supervisor's RPC and asyncio programs use it. redis-py is imported only when `SupervisorBuilder.build_async` makes
one.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from hero_client import calls
from hero_client.later import Later
from hero_job.model.job import DEFAULT_LIMITS, Job, JobLimits, ScriptType
from hero_job.model.views import BatchStatus, QueueStatus
from hero_job.operations import batches, overview
from hero_job.operations.admin_operations import AdminOperations
from hero_job.operations.batches import BatchCreated
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op

if TYPE_CHECKING:
    from hero_job.client.async_store import AsyncStore
    from hero_job.operations.schedules import Schedule, Schedules

P = ParamSpec("P")
T = TypeVar("T")


def _awaitable(
    build: Callable[Concatenate[Operations, P], Op[T]],
) -> Callable[Concatenate[AsyncSupervisor, P], Awaitable[T]]:
    """Make an asyncio call of an operation."""

    @functools.wraps(build)
    async def call(self: AsyncSupervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.store.run(build(self.operations, *args, **kwargs))

    return call


def _driven(
    build: Callable[Concatenate[Operations, P], Flow[T]],
) -> Callable[Concatenate[AsyncSupervisor, P], Awaitable[T]]:
    """Make an asyncio call of a procedure."""

    @functools.wraps(build)
    async def call(self: AsyncSupervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.store.drive(build(self.operations, *args, **kwargs))

    return call


class AsyncSupervisor:
    """The same calls as `Supervisor`, to be awaited. Belongs to one event loop.

    Args:
        store: Runs the operations.
        operations: Of the deployment's namespace.
        limits: What the deployment accepts.
    """

    create_job = _awaitable(calls.create)
    start_job = _awaitable(Operations.start)
    submit_job = _awaitable(calls.submit)
    get_job = _driven(calls.get_job)
    get_job_status = _driven(calls.get_job_status)
    get_job_output = _driven(calls.get_job_output)
    delete_job = _awaitable(Operations.delete)
    list_jobs = Later(lambda: _driven(overview.lists.list_jobs))
    list_waiting = Later(lambda: _driven(overview.lists.list_waiting))
    list_delayed = Later(lambda: _driven(overview.lists.list_delayed))
    list_blocked = Later(lambda: _driven(overview.lists.list_blocked))
    list_active = Later(lambda: _driven(overview.lists.list_active))
    list_batches = Later(lambda: _driven(overview.batch_list.list_batches))
    search_jobs = Later(lambda: _awaitable(overview.lists.search_jobs))
    explain_job = Later(lambda: _driven(overview.explain.explain_job))
    get_backlog = Later(lambda: _driven(overview.backlog.backlog))
    get_history = Later(lambda: _driven(overview.history.history))
    get_counts = Later(lambda: _awaitable(overview.history.counts))
    get_running = Later(lambda: _driven(overview.overdue.running))
    get_job_attempts = Later(lambda: _awaitable(overview.explain.job_attempts))
    walk_jobs = _awaitable(calls.admin(AdminOperations.page))
    list_actors = _driven(calls.list_actors)
    queue_length = _awaitable(calls.admin(AdminOperations.queue_length))
    stop_job = _awaitable(Operations.stop)
    retry_job = _awaitable(Operations.retry)
    get_job_log = _awaitable(Operations.log)
    list_dead = _awaitable(calls.admin(AdminOperations.dead))
    count_dead = _awaitable(calls.admin(AdminOperations.dead_count))
    get_server = _awaitable(calls.admin(AdminOperations.server))
    get_queue = _awaitable(calls.admin(AdminOperations.queue))
    pause_queue = _awaitable(calls.admin(AdminOperations.pause))
    get_batch = _awaitable(Operations.batch)
    ping = _awaitable(Operations.ping)

    def __init__(self, store: AsyncStore, operations: Operations, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self.store = store
        self.operations = operations
        self.limits = limits

    @functools.cached_property
    def schedules(self) -> Schedules:
        """The operations on schedules."""
        from hero_job.operations.schedules import Schedules  # few programs have schedules

        return Schedules(self.operations.keys.namespace)

    async def run_job_and_await_result(self, job: Job, wait_s: float | None = None) -> str:
        """See `Supervisor.run_job_and_await_result`."""
        wait_s = calls.wait_length_s(job, wait_s)
        return (await self.store.run_job(self.operations, calls.submit(self.operations, job), job.id, wait_s)).result()

    async def await_result(self, job_id: str, wait_s: float) -> str:
        """See `Supervisor.await_result`."""
        return (await self.store.wait_reply(self.operations, job_id, wait_s)).result()

    async def create_jobs(
        self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
    ) -> BatchCreated:
        """See `Supervisor.create_jobs`."""
        return await self.store.drive(batches.create_jobs(self.operations, jobs, start=start, batch_id=batch_id))

    async def await_batch(self, batch_id: str, wait_s: float) -> BatchStatus:
        """See `Supervisor.await_batch`."""
        return await self.store.wait_batch(self.operations, batch_id, wait_s)

    async def retry_all_dead(self) -> int:
        """See `Supervisor.retry_all_dead`."""
        return await self.store.drive(batches.retry_dead(self.operations))

    async def purge_dead(self) -> int:
        """See `Supervisor.purge_dead`."""
        return await self.store.drive(batches.purge_dead(self.operations))

    async def purge_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> int:
        """See `Supervisor.purge_queue`."""
        return await self.store.drive(batches.purge_queue(self.operations, script_type, group, instance))

    async def resume_queue(
        self, script_type: ScriptType, group: str | None = None, instance: str | None = None
    ) -> bool:
        """See `Supervisor.resume_queue`."""
        return await self.store.drive(batches.resume_queue(self.operations, script_type, group, instance))

    async def list_queues(self) -> list[QueueStatus]:
        """See `Supervisor.list_queues`."""
        names = calls.queue_names(await self.list_actors())
        return [await self.get_queue(script_type, group, instance) for script_type, group, instance in names]

    async def put_schedule(self, schedule: Schedule) -> int:
        """See `Supervisor.put_schedule`."""
        first_ms = calls.first_tick_ms(schedule, (await self.store.run(self.schedules.due(1))).now_ms, self.limits)
        await self.store.run(self.schedules.put(schedule, first_ms))
        return first_ms

    async def list_schedules(self) -> list[Schedule]:
        """See `Supervisor.list_schedules`."""
        return await self.store.run(self.schedules.list())

    async def next_ticks(self, names: Sequence[str]) -> list[int | None]:
        """See `Supervisor.next_ticks`."""
        if not names:
            return []
        ticks = await self.store.run(self.schedules.next_ticks(names))
        return list(ticks)

    async def pause_schedule(self, name: str) -> bool:
        """See `Supervisor.pause_schedule`."""
        return await self.store.run(self.schedules.pause(name))

    async def resume_schedule(self, name: str) -> int | None:
        """See `Supervisor.resume_schedule`."""
        schedule = await self.store.run(self.schedules.get(name))
        if schedule is None:
            return None
        now_ms = (await self.store.run(self.schedules.due(1))).now_ms
        await self.store.run(self.schedules.resume(name, calls.first_tick_ms(schedule, now_ms, self.limits)))
        return await self.store.run(self.schedules.next_tick(name))

    async def delete_schedule(self, name: str) -> bool:
        """See `Supervisor.delete_schedule`."""
        return await self.store.run(self.schedules.delete(name))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.store.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()
