"""One producer process of a bench: submits its share of the jobs, waits for their results, and sends a report.

`run.py` forks it. Invariant: the process is never killed (`run.py` says why), so it ends by itself when its share is
done, or soon after the stop pipe has closed.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from hero_ctl.bench.plan import BenchPlan
from hero_ctl.bench.summary import ProducerReport
from hero_ctl.running.waiting import missing_actor, serves
from hero_job.model.errors import HeroJobError, JobFailed, StoreError, WaitTimeout

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

log = logging.getLogger("hero_ctl.bench.producer")

#: Signals that end a bench early; only the parent answers them.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How long jobs in flight may take to end after a stop, in seconds.
STOP_GRACE_S = 5.0
#: How long the store may be unreachable before the producer gives up, in seconds.
STORE_PATIENCE_S = 10.0
#: How long no actor may be up before the producer gives up; a supervisor needs some seconds to replace a lost one.
ACTOR_PATIENCE_S = 30.0
_LOOKOUT_S = 1.0
#: How long deleting the jobs may take, in seconds.
_CLEAN_UP_S = 60.0
#: How long the process may take to end, in seconds, including its report.
_END_LIMIT_S = 90
_LOGGED_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Counters:
    """Number of jobs done by each producer. The memory is shared with the parent; one process writes each slot."""

    slots: Any

    @classmethod
    def of(cls, producers: int) -> Counters:
        """Make counters at zero; the producers inherit them by fork."""
        return cls(multiprocessing.RawArray("Q", producers))

    def done(self) -> int:
        """Add up all producers."""
        return sum(self.slots)


def produce(
    *, plan: BenchPlan, number: int, share: int, counters: Counters, stop_read: int, stop_write: int, report: Connection
) -> None:
    """Run the producer process.

    Args:
        plan: What is measured.
        number: Which producer this is, from 0.
        share: How many jobs it submits.
        counters: Where it counts.
        stop_read: Pipe that reaches its end when the bench has to stop.
        stop_write: Its other end, inherited. It is closed here; otherwise the pipe would stay open.
        report: Receives one `ProducerReport`.
    """
    os.close(stop_write)
    # Ctrl-C and the end of the terminal reach the whole process group; only the parent answers them.
    for ignored in STOP_SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    log.info("started: %d jobs, %d in flight", share, plan.in_flight)
    producer = _Producer(plan=plan, number=number, share=share, counters=counters)
    try:
        asyncio.run(producer.run(stop_read))
    except HeroJobError as e:
        producer.give_up(str(e), store=isinstance(e, StoreError))
    measured = producer.report
    log.info("done: %d finished, %d failed", len(measured.latencies_ms), measured.failed)
    with suppress(BrokenPipeError):  # the bench was killed, so nobody reads the report
        report.send(measured)
    report.close()


@dataclass(slots=True)
class _Producer:
    plan: BenchPlan
    number: int
    share: int
    counters: Counters
    job_ids: list[str] = field(default_factory=list)
    report: ProducerReport = field(default_factory=ProducerReport)
    stopped: bool = False

    async def run(self, stop_read: int) -> None:
        from hero_client import SupervisorBuilder

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(stop_read, stop.set)
        supervisor = SupervisorBuilder().redis_url(self.plan.url).namespace(self.plan.namespace).build_async()
        async with supervisor:
            numbers = iter(range(self.share))
            flights = [asyncio.create_task(self._fly(supervisor, numbers)) for _ in range(self.plan.in_flight)]
            stopper = asyncio.create_task(stop.wait())
            lookout = asyncio.create_task(self._look_out(supervisor))
            landed = asyncio.create_task(asyncio.wait(flights))
            any_of: list[asyncio.Future[Any]] = [stopper, lookout, landed]
            await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
            # Before anything else is awaited: when the bench is gone the pipe stays readable, and a loop that still
            # watched it would spin, calling `stop.set`.
            loop.remove_reader(stop_read)
            # From here on the process only ends. If that hangs, no other process ends it, so the kernel must.
            signal.alarm(_END_LIMIT_S)
            if stop.is_set():
                self.stopped = True
                await asyncio.wait(flights, timeout=STOP_GRACE_S)
            for other in (stopper, lookout, landed):
                other.cancel()
            # Cancel repeatedly: before Python 3.12 `asyncio.wait_for` may swallow a cancellation (cpython#86296).
            while not all(flight.done() for flight in flights):
                for flight in flights:
                    flight.cancel()
                await asyncio.wait(flights, timeout=0.5)
            for flight in flights:
                if not flight.cancelled():
                    flight.result()  # raises the error of the flight
            if not self.report.store_trouble:
                await self._clean_up(supervisor)

    def give_up(self, trouble: str, *, store: bool) -> None:
        if not self.report.trouble:
            log.error("giving up: %s", trouble)
        self.report.trouble = trouble
        self.report.store_trouble = store
        self.stopped = True

    async def _look_out(self, supervisor: AsyncSupervisor) -> None:
        """Return when the store stays unreachable, or when no actor is left to run the jobs.

        Without this, every job in turn would be waited for until its own wait is over.
        """
        job = self.plan.new_job()
        store_mono = actor_mono = time.monotonic()
        while True:
            try:
                if any(serves(actor, job) for actor in await supervisor.list_actors()):
                    actor_mono = time.monotonic()
                store_mono = time.monotonic()
            except StoreError as e:
                actor_mono = time.monotonic()  # without the store, actors cannot be seen
                if time.monotonic() - store_mono > STORE_PATIENCE_S:
                    self.give_up(str(e), store=True)
                    return
            if time.monotonic() - actor_mono > ACTOR_PATIENCE_S:
                self.give_up(missing_actor(job), store=False)
                return
            await asyncio.sleep(_LOOKOUT_S)

    async def _fly(self, supervisor: AsyncSupervisor, numbers: Iterator[int]) -> None:
        """Run jobs one after another until the share is done."""
        for _ in numbers:
            if self.stopped:
                return
            job = self.plan.new_job()
            self.job_ids.append(job.id)
            begin_mono = time.monotonic()
            self.report.first_mono = self.report.first_mono or begin_mono
            try:
                await supervisor.run_job_and_await_result(job)
            except (JobFailed, WaitTimeout) as e:
                self.report.failed += 1
                if self.report.failed <= _LOGGED_FAILURES:
                    log.warning("%s", e)
            except HeroJobError as e:
                self.give_up(str(e), store=isinstance(e, StoreError))
                return
            else:
                self.report.last_mono = time.monotonic()
                self.report.latencies_ms.append((self.report.last_mono - begin_mono) * 1000)
            self.counters.slots[self.number] += 1

    async def _clean_up(self, supervisor: AsyncSupervisor) -> None:
        """Delete the jobs. A job that still runs stays until its retention ends."""
        ids = iter(self.job_ids)

        async def remove() -> None:
            for job_id in ids:
                try:
                    await supervisor.delete_job(job_id)
                except StoreError as e:
                    log.warning("some jobs stay in the store: %s", e)
                    return
                except HeroJobError:
                    continue  # it was never created, or it still runs

        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(remove() for _ in range(8))), _CLEAN_UP_S)
