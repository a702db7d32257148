"""The API of programs that give jobs: `SupervisorBuilder`, `Supervisor` and, for asyncio, `AsyncSupervisor`.

A supervisor here is a client of the deployment's Redis; it starts no process. Both classes offer the same calls: each
is defined once, in `hero_job.operations.operations`, and run by the one store or the other.

Source: names of the Rust system's SupervisorBuilder and Supervisor.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from hero_job import Job, JobLimits, ScriptType
from hero_job.client.store import Store
from hero_job.model.job import DEFAULT_LIMITS
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.model.views import ActorPresence, BatchStatus, QueueStatus
from hero_job.operations import batches
from hero_job.operations.admin_operations import AdminOperations
from hero_job.operations.batches import BatchCreated
from hero_job.operations.operations import Op, Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.protocol.keys import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from hero_job.client.async_store import AsyncStore

P = ParamSpec("P")
T = TypeVar("T")

#: A wait that names no length goes on for the job's timeout plus this, in seconds: time to be queued and claimed.
QUEUE_ALLOWANCE_S = 60.0


def _blocking(build: Callable[Concatenate[Operations, P], Op[T]]) -> Callable[Concatenate[Supervisor, P], T]:
    """Make a synchronous method of an operation."""

    @functools.wraps(build)
    def method(self: Supervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.store.run(build(self.operations, *args, **kwargs))

    return method


def _awaitable(
    build: Callable[Concatenate[Operations, P], Op[T]],
) -> Callable[Concatenate[AsyncSupervisor, P], Awaitable[T]]:
    """Make an asyncio method of an operation."""

    @functools.wraps(build)
    async def method(self: AsyncSupervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.store.run(build(self.operations, *args, **kwargs))

    return method


def _admin(
    build: Callable[Concatenate[AdminOperations, P], Op[T]],
) -> Callable[Concatenate[Operations, P], Op[T]]:
    """Reach an operation of `AdminOperations` from `Operations`."""

    @functools.wraps(build)
    def operation(operations: Operations, /, *args: P.args, **kwargs: P.kwargs) -> Op[T]:
        return build(operations.admin, *args, **kwargs)

    return operation


def _submit(operations: Operations, job: Job) -> Op[str]:
    """Store a job and queue it, in one round trip.

    Returns:
        The job's id. The same job sent again is queued once.

    Raises:
        JobConflict: Another job has this id.
    """
    return operations.create(job, start=True)


def _create(operations: Operations, job: Job) -> Op[str]:
    """Store a job; `start_job` queues it.

    Returns:
        The job's id. The same job sent again gives the same answer.

    Raises:
        JobConflict: Another job has this id.
    """
    return operations.create(job)


def _first_tick(schedule: Schedule, now_ms: int, limits: JobLimits) -> int:
    first_ms = next(schedule.ticks_after(now_ms / 1000))
    schedule.job_at(first_ms, limits)
    return first_ms


def _queue_names(actors: Sequence[ActorPresence]) -> list[tuple[ScriptType, str | None, str | None]]:
    """Name the queue of every script type, and those of the groups and instances that actors serve."""
    served: dict[ScriptType, set[tuple[str, str]]] = {script_type: set() for script_type in ScriptType}
    for actor in actors:
        if actor.group:
            served[actor.script_type] |= {(actor.group, ""), (actor.group, actor.instance or "")}
    names: list[tuple[ScriptType, str | None, str | None]] = []
    for script_type, groups in served.items():
        names.append((script_type, None, None))
        names += [(script_type, group, instance or None) for group, instance in sorted(groups)]
    return names


class Supervisor:
    """Gives jobs to a deployment and looks at them. Safe to share among threads.

    Made by `SupervisorBuilder`. Every call raises `StoreUnavailable` when Redis is not there and `StoreRefused` when it
    answers with an error, beside what its own description says.
    """

    create_job = _blocking(_create)
    start_job = _blocking(Operations.start)
    submit_job = _blocking(_submit)
    get_job = _blocking(Operations.record)
    get_job_status = _blocking(Operations.status)
    get_job_output = _blocking(Operations.output)
    delete_job = _blocking(Operations.delete)
    list_jobs = _blocking(_admin(AdminOperations.page))
    list_actors = _blocking(_admin(AdminOperations.actors))
    queue_length = _blocking(_admin(AdminOperations.queue_length))
    stop_job = _blocking(Operations.stop)
    retry_job = _blocking(Operations.retry)
    get_job_log = _blocking(Operations.log)
    list_dead = _blocking(_admin(AdminOperations.dead))
    count_dead = _blocking(_admin(AdminOperations.dead_count))
    get_queue = _blocking(_admin(AdminOperations.queue))
    pause_queue = _blocking(_admin(AdminOperations.pause))
    resume_queue = _blocking(_admin(AdminOperations.resume))
    get_batch = _blocking(Operations.batch)
    ping = _blocking(Operations.ping)

    def __init__(self, store: Store, operations: Operations, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self.store = store
        self.operations = operations
        self.schedules = Schedules(operations.keys.namespace)
        self.limits = limits

    def run_job_and_await_result(self, job: Job, wait_s: float | None = None) -> str:
        """Store a job, queue it, and wait for its output.

        Args:
            job: What to run.
            wait_s: Longest wait in seconds; by default the job's timeout plus a minute for the queue.

        Raises:
            JobFailed: It ended without an output; carries kind, message, line and column.
            WaitTimeout: It has not ended by then; it goes on.
            JobConflict: Another job has this id.
        """
        # The id of another job, where one that is open has this one's key of uniqueness.
        job_id = self.submit_job(job)
        return self.await_result(job_id, job.timeout + QUEUE_ALLOWANCE_S if wait_s is None else wait_s)

    def await_result(self, job_id: str, wait_s: float) -> str:
        """Wait for the output of a job that was started.

        Args:
            job_id: The job.
            wait_s: Longest wait, in seconds.

        Raises:
            JobFailed: It ended without an output.
            JobNotFound: No such job.
            WaitTimeout: It has not ended by then; it goes on.
        """
        return self.store.wait_reply(self.operations, job_id, wait_s).result()

    def create_jobs(self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None) -> BatchCreated:
        """Create many jobs as a batch, and send them on their way; they may name each other in any order.

        Raises:
            JobInvalid: No jobs, an id twice, a cycle, or a batch with this id exists.
        """
        return self.store.drive(batches.create_jobs(self.operations, jobs, start=start, batch_id=batch_id))

    def await_batch(self, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended.

        Raises:
            JobNotFound: No such batch.
            WaitTimeout: Not all have ended by then; they go on.
        """
        return self.store.wait_batch(self.operations, batch_id, wait_s)

    def retry_all_dead(self) -> int:
        """Run all dead letters again; gives how many."""
        return self.store.drive(batches.retry_dead(self.operations))

    def purge_dead(self) -> int:
        """Delete all dead letters with their jobs; gives how many."""
        return self.store.drive(batches.purge_dead(self.operations))

    def purge_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> int:
        """End the jobs that wait in a queue, as stopped; gives how many."""
        return self.store.drive(batches.purge_queue(self.operations, script_type, group, instance))

    def list_queues(self) -> list[QueueStatus]:
        """Look at the queue of every script type, and at those of the groups and instances that actors serve."""
        names = _queue_names(self.list_actors())
        return [self.get_queue(script_type, group, instance) for script_type, group, instance in names]

    def put_schedule(self, schedule: Schedule) -> int:
        """Create a schedule, or replace the one of its name.

        Returns:
            Its first tick, in milliseconds since 1970, by the store's clock.

        Raises:
            JobInvalid: The deployment does not accept its job.
        """
        first_ms = _first_tick(schedule, self.store.run(self.schedules.due(1)).now_ms, self.limits)
        self.store.run(self.schedules.put(schedule, first_ms))
        return first_ms

    def list_schedules(self) -> list[Schedule]:
        """List all schedules, by name."""
        return self.store.run(self.schedules.list())

    def delete_schedule(self, name: str) -> bool:
        """Delete a schedule; its jobs stay. False when there is none with this name."""
        return self.store.run(self.schedules.delete(name))

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class AsyncSupervisor:
    """The same calls as `Supervisor`, to be awaited."""

    create_job = _awaitable(_create)
    start_job = _awaitable(Operations.start)
    submit_job = _awaitable(_submit)
    get_job = _awaitable(Operations.record)
    get_job_status = _awaitable(Operations.status)
    get_job_output = _awaitable(Operations.output)
    delete_job = _awaitable(Operations.delete)
    list_jobs = _awaitable(_admin(AdminOperations.page))
    list_actors = _awaitable(_admin(AdminOperations.actors))
    queue_length = _awaitable(_admin(AdminOperations.queue_length))
    stop_job = _awaitable(Operations.stop)
    retry_job = _awaitable(Operations.retry)
    get_job_log = _awaitable(Operations.log)
    list_dead = _awaitable(_admin(AdminOperations.dead))
    count_dead = _awaitable(_admin(AdminOperations.dead_count))
    get_queue = _awaitable(_admin(AdminOperations.queue))
    pause_queue = _awaitable(_admin(AdminOperations.pause))
    resume_queue = _awaitable(_admin(AdminOperations.resume))
    get_batch = _awaitable(Operations.batch)
    ping = _awaitable(Operations.ping)

    def __init__(self, store: AsyncStore, operations: Operations, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self.store = store
        self.operations = operations
        self.schedules = Schedules(operations.keys.namespace)
        self.limits = limits

    async def run_job_and_await_result(self, job: Job, wait_s: float | None = None) -> str:
        """As `Supervisor.run_job_and_await_result`."""
        job_id = await self.submit_job(job)
        return await self.await_result(job_id, job.timeout + QUEUE_ALLOWANCE_S if wait_s is None else wait_s)

    async def await_result(self, job_id: str, wait_s: float) -> str:
        """As `Supervisor.await_result`."""
        return (await self.store.wait_reply(self.operations, job_id, wait_s)).result()

    async def create_jobs(
        self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
    ) -> BatchCreated:
        """As `Supervisor.create_jobs`."""
        return await self.store.drive(batches.create_jobs(self.operations, jobs, start=start, batch_id=batch_id))

    async def await_batch(self, batch_id: str, wait_s: float) -> BatchStatus:
        """As `Supervisor.await_batch`."""
        return await self.store.wait_batch(self.operations, batch_id, wait_s)

    async def retry_all_dead(self) -> int:
        """As `Supervisor.retry_all_dead`."""
        return await self.store.drive(batches.retry_dead(self.operations))

    async def purge_dead(self) -> int:
        """As `Supervisor.purge_dead`."""
        return await self.store.drive(batches.purge_dead(self.operations))

    async def purge_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> int:
        """As `Supervisor.purge_queue`."""
        return await self.store.drive(batches.purge_queue(self.operations, script_type, group, instance))

    async def list_queues(self) -> list[QueueStatus]:
        """As `Supervisor.list_queues`."""
        names = _queue_names(await self.list_actors())
        return [await self.get_queue(script_type, group, instance) for script_type, group, instance in names]

    async def put_schedule(self, schedule: Schedule) -> int:
        """As `Supervisor.put_schedule`."""
        first_ms = _first_tick(schedule, (await self.store.run(self.schedules.due(1))).now_ms, self.limits)
        await self.store.run(self.schedules.put(schedule, first_ms))
        return first_ms

    async def list_schedules(self) -> list[Schedule]:
        """As `Supervisor.list_schedules`."""
        return await self.store.run(self.schedules.list())

    async def delete_schedule(self, name: str) -> bool:
        """As `Supervisor.delete_schedule`."""
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


class SupervisorBuilder:
    """Builds a `Supervisor` or an `AsyncSupervisor`; every setter returns the builder."""

    def __init__(self) -> None:
        self._url = "redis://127.0.0.1:6379/"
        self._namespace = DEFAULT_NAMESPACE
        self._limits = DEFAULT_LIMITS
        self._retention = DEFAULT_RETENTION

    def redis_url(self, url: str) -> Self:
        """Where Redis is: redis://, rediss:// or unix://; by default redis://127.0.0.1:6379/."""
        self._url = url
        return self

    def namespace(self, name: str) -> Self:
        """Prefix of all keys; "hero" by default."""
        self._namespace = name
        return self

    def limits(self, limits: JobLimits) -> Self:
        """What the deployment accepts, where it is not the default."""
        self._limits = limits
        return self

    def retention(self, retention: Retention) -> Self:
        """How long the deployment keeps what has ended, where it is not the default."""
        self._retention = retention
        return self

    def build(self) -> Supervisor:
        """Make the synchronous one. It connects with its first call.

        Raises:
            StoreUrlInvalid: The URL cannot be used.
        """
        operations = Operations(self._namespace, self._retention)
        return Supervisor(Store(self._url, name="hero-client"), operations, self._limits)

    def build_async(self) -> AsyncSupervisor:
        """Make the asyncio one. It connects with its first call.

        Raises:
            StoreUrlInvalid: The URL cannot be used.
        """
        from hero_job.client.async_store import AsyncStore

        return AsyncSupervisor(AsyncStore(self._url), Operations(self._namespace, self._retention), self._limits)


__all__ = ["AsyncSupervisor", "ScriptType", "Supervisor", "SupervisorBuilder"]
