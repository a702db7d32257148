"""The synchronous client of a deployment: submits jobs, waits for them, and manages queues and schedules.

A `Supervisor` is a client of the deployment's Redis. Each call is one operation of `hero_job`, or one procedure of
several; `AsyncSupervisor` has the same calls.

Source: the names of the Rust system's Supervisor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from hero_client import calls
from hero_client.later import Later
from hero_job.client.store import Store
from hero_job.model.job import DEFAULT_LIMITS, Job, JobLimits, ScriptType
from hero_job.model.views import BatchStatus, QueueStatus
from hero_job.operations import batches, overview
from hero_job.operations.admin_operations import AdminOperations
from hero_job.operations.batches import BatchCreated
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op

if TYPE_CHECKING:
    from hero_job.operations.schedules import Schedule, Schedules

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(build: Callable[Concatenate[Operations, P], Op[T]]) -> Callable[Concatenate[Supervisor, P], T]:
    """Make a synchronous call of an operation."""

    @functools.wraps(build)
    def call(self: Supervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.store.run(build(self.operations, *args, **kwargs))

    return call


def _driven(build: Callable[Concatenate[Operations, P], Flow[T]]) -> Callable[Concatenate[Supervisor, P], T]:
    """Make a synchronous call of a procedure."""

    @functools.wraps(build)
    def call(self: Supervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.store.drive(build(self.operations, *args, **kwargs))

    return call


class Supervisor:
    """Submits jobs to a deployment and looks at them. Threads may share one.

    `SupervisorBuilder` makes it. Every call also raises `StoreUnavailable` if Redis cannot be reached, and
    `StoreRefused` if Redis answers with an error.

    Args:
        store: Runs the operations.
        operations: Of the deployment's namespace.
        limits: What the deployment accepts.
    """

    create_job = _blocking(calls.create)
    start_job = _blocking(Operations.start)
    submit_job = _blocking(calls.submit)
    get_job = _driven(calls.get_job)
    get_job_status = _driven(calls.get_job_status)
    get_job_output = _driven(calls.get_job_output)
    delete_job = _blocking(Operations.delete)
    list_jobs = Later(lambda: _driven(overview.lists.list_jobs))
    list_waiting = Later(lambda: _driven(overview.lists.list_waiting))
    list_delayed = Later(lambda: _driven(overview.lists.list_delayed))
    list_blocked = Later(lambda: _driven(overview.lists.list_blocked))
    list_active = Later(lambda: _driven(overview.lists.list_active))
    list_batches = Later(lambda: _driven(overview.batch_list.list_batches))
    search_jobs = Later(lambda: _blocking(overview.lists.search_jobs))
    explain_job = Later(lambda: _driven(overview.explain.explain_job))
    get_backlog = Later(lambda: _driven(overview.backlog.backlog))
    get_history = Later(lambda: _driven(overview.history.history))
    get_counts = Later(lambda: _blocking(overview.history.counts))
    get_running = Later(lambda: _driven(overview.overdue.running))
    get_job_attempts = Later(lambda: _blocking(overview.explain.job_attempts))
    walk_jobs = _blocking(calls.admin(AdminOperations.page))
    list_actors = _driven(calls.list_actors)
    queue_length = _blocking(calls.admin(AdminOperations.queue_length))
    stop_job = _blocking(Operations.stop)
    retry_job = _blocking(Operations.retry)
    get_job_log = _blocking(Operations.log)
    list_dead = _blocking(calls.admin(AdminOperations.dead))
    count_dead = _blocking(calls.admin(AdminOperations.dead_count))
    get_queue = _blocking(calls.admin(AdminOperations.queue))
    pause_queue = _blocking(calls.admin(AdminOperations.pause))
    get_batch = _blocking(Operations.batch)
    ping = _blocking(Operations.ping)

    def __init__(self, store: Store, operations: Operations, limits: JobLimits = DEFAULT_LIMITS) -> None:
        self.store = store
        self.operations = operations
        self.limits = limits

    @functools.cached_property
    def schedules(self) -> Schedules:
        """The operations on schedules."""
        from hero_job.operations.schedules import Schedules  # few programs have schedules

        return Schedules(self.operations.keys.namespace)

    def run_job_and_await_result(self, job: Job, wait_s: float | None = None) -> str:
        """Store a job, start it, and wait for its output.

        Args:
            job: The job.
            wait_s: Longest wait, in seconds; None for the job's timeout and a minute in the queue.

        Returns:
            The output.

        Raises:
            JobFailed: The job ended without an output; carries kind, message, line and column.
            WaitTimeout: The job has not ended in time; it goes on.
            JobConflict: A different job has this id.
            JobInvalid: A prerequisite is unknown, or a dependent cannot wait for the job any more.
        """
        # This is the id of another job if that one is open and has the same unique key.
        job_id = self.submit_job(job)
        return self.await_result(job_id, calls.wait_length_s(job, wait_s))

    def await_result(self, job_id: str, wait_s: float) -> str:
        """Wait for the output of a job that was started.

        Args:
            job_id: The job.
            wait_s: Longest wait, in seconds.

        Returns:
            The output.

        Raises:
            JobFailed: The job ended without an output; carries kind, message, line and column.
            JobNotFound: There is no such job.
            WaitTimeout: The job has not ended in time; it goes on.
        """
        return self.store.wait_reply(self.operations, job_id, wait_s).result()

    def create_jobs(self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None) -> BatchCreated:
        """Create many jobs as a batch; they may name each other in any order.

        Args:
            jobs: One or more.
            start: Start them too.
            batch_id: Id of the batch; None for a new UUID.

        Returns:
            The jobs that were created and those that were refused.

        Raises:
            JobInvalid: There are no jobs, two have the same id, jobs wait for each other, a job has a unique key, or
                another batch has this id.
        """
        return self.store.drive(batches.create_jobs(self.operations, jobs, start=start, batch_id=batch_id))

    def await_batch(self, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended.

        Args:
            batch_id: The batch.
            wait_s: Longest wait, in seconds.

        Returns:
            How many jobs ended how.

        Raises:
            JobNotFound: There is no such batch.
            WaitTimeout: Some jobs have not ended in time; they go on.
        """
        return self.store.wait_batch(self.operations, batch_id, wait_s)

    def retry_all_dead(self) -> int:
        """Run all dead letters again; returns how many."""
        return self.store.drive(batches.retry_dead(self.operations))

    def purge_dead(self) -> int:
        """Delete all dead letters and their jobs; returns how many."""
        return self.store.drive(batches.purge_dead(self.operations))

    def purge_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> int:
        """Stop the jobs that wait in a queue.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.

        Returns:
            How many jobs were stopped.
        """
        return self.store.drive(batches.purge_queue(self.operations, script_type, group, instance))

    def resume_queue(self, script_type: ScriptType, group: str | None = None, instance: str | None = None) -> bool:
        """Resume a paused queue; its jobs keep their order.

        Args:
            script_type: The queue's script type.
            group: The queue's group; None for the queue of the type.
            instance: The queue's instance in the group; None for the queue of the group.

        Returns:
            False if it was not paused.
        """
        return self.store.drive(batches.resume_queue(self.operations, script_type, group, instance))

    def list_queues(self) -> list[QueueStatus]:
        """Look at the queue of every script type, and at those of the groups and instances that actors serve."""
        names = calls.queue_names(self.list_actors())
        return [self.get_queue(script_type, group, instance) for script_type, group, instance in names]

    def put_schedule(self, schedule: Schedule) -> int:
        """Create a schedule, or replace the one of the same name.

        Args:
            schedule: The schedule.

        Returns:
            Its first tick, in milliseconds since 1970, by the store's clock.

        Raises:
            JobInvalid: The deployment does not accept the schedule's job.
        """
        first_ms = calls.first_tick_ms(schedule, self.store.run(self.schedules.due(1)).now_ms, self.limits)
        self.store.run(self.schedules.put(schedule, first_ms))
        return first_ms

    def list_schedules(self) -> list[Schedule]:
        """List all schedules, by name."""
        return self.store.run(self.schedules.list())

    def next_ticks(self, names: Sequence[str]) -> list[int | None]:
        """Read when schedules create their next jobs.

        Args:
            names: Of the schedules.

        Returns:
            Milliseconds since 1970, in the order of the names; in the past if the job is late; None if the schedule is
            paused, or has no more ticks.
        """
        if not names:
            return []
        ticks = self.store.run(self.schedules.next_ticks(names))
        return list(ticks)

    def pause_schedule(self, name: str) -> bool:
        """Let a schedule create no jobs until `resume_schedule`.

        Args:
            name: Of the schedule.

        Returns:
            False if it was paused already, or if there is none of this name.
        """
        return self.store.run(self.schedules.pause(name))

    def resume_schedule(self, name: str) -> int | None:
        """Let a paused schedule create jobs again; what it missed meanwhile stays missed.

        Args:
            name: Of the schedule. One that is not paused stays as it is.

        Returns:
            Its next tick, in milliseconds since 1970, by the store's clock; None if there is no schedule of this name
            that this host can read.

        Raises:
            JobInvalid: The deployment does not accept the schedule's job any more.
        """
        schedule = self.store.run(self.schedules.get(name))
        if schedule is None:
            return None
        now_ms = self.store.run(self.schedules.due(1)).now_ms
        self.store.run(self.schedules.resume(name, calls.first_tick_ms(schedule, now_ms, self.limits)))
        return self.store.run(self.schedules.next_tick(name))

    def delete_schedule(self, name: str) -> bool:
        """Delete a schedule; its jobs stay. Returns False if there is none of this name."""
        return self.store.run(self.schedules.delete(name))

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
