"""The API of `hero_client.AsyncSupervisor` over JSON-RPC, with the rights of a token.

Invariant: its calls return and raise what those of `AsyncSupervisor` do, so that a program need not know which one it
has. What only the store can tell is refused with a sentence that says so.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar

from hero_client.remote import calls, schedule_calls
from hero_client.remote.async_links import AsyncLinks
from hero_client.remote.calls import CALL_S, Ask, Asking, error_of
from hero_client.remote.errors import ServerUnusable, ServiceUnreachable, StoreNeeded
from hero_client.remote.repeats import UNCERTAIN, may_repeat, pause_s
from hero_client.remote.server import RemoteServer
from hero_job.model.errors import HeroJobError

P = ParamSpec("P")
T = TypeVar("T")


def _asked(build: Callable[P, Asking[T]]) -> Callable[Concatenate[AsyncRemoteSupervisor, P], Awaitable[T]]:
    """Make a call of questions."""

    @functools.wraps(build)
    async def asked(self: AsyncRemoteSupervisor, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._drive(build(*args, **kwargs))

    return asked


class AsyncRemoteSupervisor:
    """Submits jobs to a deployment and looks at them, through one of its supervisors.

    Every call raises `ServiceUnreachable` if the supervisor gives no answer, and `ServiceRefused` for an error of the
    service that is not one of a job.

    Args:
        server: Which one.
        patience_s: How long a call is repeated whose answer was lost, if that changes nothing, in seconds.
    """

    create_job = _asked(calls.create_job)
    submit_job = _asked(calls.submit_job)
    start_job = _asked(calls.start_job)
    run_job_and_await_result = _asked(calls.run_job_and_await_result)
    create_jobs = _asked(calls.create_jobs)
    get_job = _asked(calls.get_job)
    get_job_status = _asked(calls.get_job_status)
    get_job_output = _asked(calls.get_job_output)
    await_result = _asked(calls.await_result)
    list_jobs = _asked(calls.list_jobs)
    search_jobs = _asked(calls.search_jobs)
    explain_job = _asked(calls.explain_job)
    get_job_attempts = _asked(calls.get_job_attempts)
    get_history = _asked(calls.get_history)
    stop_job = _asked(calls.stop_job)
    retry_job = _asked(calls.retry_job)
    delete_job = _asked(calls.delete_job)
    get_job_log = _asked(calls.get_job_log)
    list_actors = _asked(calls.list_actors)
    actor_rows = _asked(calls.actor_rows)
    list_queues = _asked(calls.list_queues)
    get_queue = _asked(calls.get_queue)
    queue_length = _asked(calls.queue_length)
    pause_queue = _asked(calls.pause_queue)
    resume_queue = _asked(calls.resume_queue)
    purge_queue = _asked(calls.purge_queue)
    list_dead = _asked(calls.list_dead)
    count_dead = _asked(calls.count_dead)
    retry_all_dead = _asked(calls.retry_all_dead)
    purge_dead = _asked(calls.purge_dead)
    put_schedule = _asked(schedule_calls.put_schedule)
    list_schedules = _asked(schedule_calls.list_schedules)
    next_ticks = _asked(schedule_calls.next_ticks)
    pause_schedule = _asked(schedule_calls.pause_schedule)
    resume_schedule = _asked(schedule_calls.resume_schedule)
    delete_schedule = _asked(schedule_calls.delete_schedule)
    list_batches = _asked(calls.list_batches)
    get_batch = _asked(calls.get_batch)
    await_batch = _asked(calls.await_batch)
    own_name = _asked(calls.own_name)
    ping = _asked(calls.ping)

    def __init__(self, server: RemoteServer, patience_s: float = 0.0) -> None:
        self._links = AsyncLinks(server)
        self._patience_s = patience_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that wait for a call."""
        self._links.close()

    @property
    def store(self) -> NoReturn:
        """There is none."""
        raise StoreNeeded

    @property
    def operations(self) -> NoReturn:
        """There is no store to run them on."""
        raise StoreNeeded

    @property
    def schedules(self) -> NoReturn:
        """There is no store to run them on."""
        raise StoreNeeded

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, wait_s: float = CALL_S) -> Any:
        """Call any method, and return its result.

        Args:
            method: Name of the method.
            params: By name; those that are None are left out.
            wait_s: Longest wait for the answer, in seconds.

        Raises:
            HeroJobError: The error of the method, as the API would have raised it.
        """
        return await self._ask(Ask(method, params, wait_s))

    async def _ask(self, ask: Ask) -> Any:
        given = {name: value for name, value in (ask.params or {}).items() if value is not None}
        again = may_repeat(ask.method) if ask.repeat is None else ask.repeat
        until_mono = time.monotonic() + self._patience_s
        tries = 0
        while True:
            late = time.monotonic() >= until_mono
            try:
                answer = await self._links.call(ask.method, given, ask.wait_s)
            except ServerUnusable as e:
                if late or not e.passes or (e.sent and not again):
                    raise ServiceUnreachable(str(e)) from e
            else:
                if "error" not in answer:
                    return answer["result"]
                if late or not again or answer["error"]["code"] not in UNCERTAIN:
                    raise error_of(answer["error"])
            await asyncio.sleep(pause_s(tries))
            tries += 1

    async def _drive(self, asking: Asking[T]) -> T:
        """Ask the questions of a call, and return its value."""
        try:
            ask = next(asking)
            while True:
                try:
                    answer = await self._ask(ask)
                except HeroJobError as e:
                    ask = asking.throw(e)
                else:
                    ask = asking.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
