"""One producer process of `heroctl bench`: submits its share of jobs, awaits them, reports, and ends by itself.

Runs after a fork in a process of its own. It is never killed (see `bench.py`): it ends when its share is done, or soon
after the stop pipe has closed.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import time
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from hero_ctl.bench.summary import Produced
from hero_ctl.waiting import nobody, serves
from hero_job.model.errors import HeroJobError, JobFailed, StoreError, WaitTimeout

if TYPE_CHECKING:
    from hero_client.api import AsyncSupervisor
    from hero_ctl.bench.command import Plan

log = logging.getLogger("hero_ctl.bench.producer")

#: What ends a bench early; answered by the parent alone.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How long jobs under way may take to end after a stop, in seconds.
STOP_GRACE_S = 5.0
#: How long the store may be away before the bench is given up, in seconds.
STORE_PATIENCE_S = 10.0
#: How long there may be no actor for the jobs: a supervisor needs some seconds to put a new one in a lost one's place.
ACTOR_PATIENCE_S = 30.0
_LOOK_S = 1.0
#: How long the removal of the jobs may take, in seconds.
_CLEAN_UP_S = 60.0
#: How long the whole end may take, in seconds, report included.
_END_LIMIT_S = 90
_LOGGED_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Counters:
    """Jobs done by each producer: memory shared with the parent, each slot written by one process."""

    slots: Any

    @classmethod
    def of(cls, producers: int) -> Counters:
        """Zeros, to be inherited by fork."""
        return cls(multiprocessing.RawArray("Q", producers))

    def done(self) -> int:
        """Sum over all producers."""
        return sum(self.slots)


def produce(
    *, plan: Plan, number: int, share: int, counters: Counters, stop_read: int, stop_write: int, report: Connection
) -> None:
    """The target of the process.

    Args:
        plan: What is measured.
        number: Which producer this is, from 0.
        share: How many jobs it submits.
        counters: Where it counts.
        stop_read: Pipe that ends when the bench is to stop.
        stop_write: The other end, inherited: closed here, or it would never end.
        report: Gets one `Produced`.
    """
    os.close(stop_write)
    # The terminal's Ctrl-C, and its end, reach the whole group; the parent answers them.
    for ignored in STOP_SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    log.info("started: %d jobs, %d in flight", share, plan.in_flight)
    producer = _Producer(plan=plan, number=number, share=share, counters=counters)
    try:
        asyncio.run(producer.run(stop_read))
    except HeroJobError as e:
        producer.give_up(str(e), store=isinstance(e, StoreError))
    produced = producer.produced()
    log.info("done: %d finished, %d failed", len(produced.latencies_ms), produced.failed)
    with suppress(BrokenPipeError):  # the bench was killed: nobody wants the figures
        report.send(produced)
    report.close()


@dataclass(slots=True)
class _Producer:
    plan: Plan
    number: int
    share: int
    counters: Counters
    latencies_ms: array[float] = field(default_factory=lambda: array("d"))
    job_ids: list[str] = field(default_factory=list)
    first_mono: float = 0.0
    last_mono: float = 0.0
    failed: int = 0
    trouble: str = ""
    store_trouble: bool = False
    stopped: bool = False

    def produced(self) -> Produced:
        return Produced(
            latencies_ms=self.latencies_ms,
            first_mono=self.first_mono,
            last_mono=self.last_mono,
            failed=self.failed,
            trouble=self.trouble,
            store_trouble=self.store_trouble,
        )

    async def run(self, stop_read: int) -> None:
        from hero_client.api import SupervisorBuilder

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
            # Always, and before anything else is awaited: once the bench is gone the pipe is readable for ever, and a
            # loop that still watched it would do nothing but call `stop.set`.
            loop.remove_reader(stop_read)
            # From here on it only ends. Were that to hang, nobody else would end it: then the kernel does.
            signal.alarm(_END_LIMIT_S)
            if stop.is_set():
                self.stopped = True
                await asyncio.wait(flights, timeout=STOP_GRACE_S)
            for other in (stopper, lookout, landed):
                other.cancel()
            # Asked again and again: before Python 3.12 `asyncio.wait_for` may swallow a cancellation (cpython#86296).
            while not all(flight.done() for flight in flights):
                for flight in flights:
                    flight.cancel()
                await asyncio.wait(flights, timeout=0.5)
            for flight in flights:
                if not flight.cancelled():
                    flight.result()  # raises what the flight raised
            if not self.store_trouble:
                await self._clean_up(supervisor)

    def give_up(self, trouble: str, *, store: bool) -> None:
        if not self.trouble:
            log.error("gives up: %s", trouble)
        self.trouble = trouble
        self.store_trouble = store
        self.stopped = True

    async def _look_out(self, supervisor: AsyncSupervisor) -> None:
        """Return when it makes no sense to go on: the store stays away, or nobody is left to run the jobs.

        Each job alone would be waited for until its own time is up, one after the other.
        """
        probe = self.plan.probe()
        store_mono = actor_mono = time.monotonic()
        while True:
            try:
                if any(serves(actor, probe) for actor in await supervisor.list_actors()):
                    actor_mono = time.monotonic()
                store_mono = time.monotonic()
            except StoreError as e:
                actor_mono = time.monotonic()  # unknown
                if time.monotonic() - store_mono > STORE_PATIENCE_S:
                    self.give_up(str(e), store=True)
                    return
            if time.monotonic() - actor_mono > ACTOR_PATIENCE_S:
                self.give_up(nobody(probe).replace(": the job waits", ""), store=False)
                return
            await asyncio.sleep(_LOOK_S)

    async def _fly(self, supervisor: AsyncSupervisor, numbers: Iterator[int]) -> None:
        """Run one job after the other until the share is done."""
        for _ in numbers:
            if self.stopped:
                return
            job = self.plan.probe()
            self.job_ids.append(job.id)
            begin_mono = time.monotonic()
            self.first_mono = self.first_mono or begin_mono
            try:
                await supervisor.run_job_and_await_result(job)
            except (JobFailed, WaitTimeout) as e:
                self.failed += 1
                if self.failed <= _LOGGED_FAILURES:
                    log.warning("%s", e)
            except HeroJobError as e:
                self.give_up(str(e), store=isinstance(e, StoreError))
                return
            else:
                self.last_mono = time.monotonic()
                self.latencies_ms.append((self.last_mono - begin_mono) * 1000)
            self.counters.slots[self.number] += 1

    async def _clean_up(self, supervisor: AsyncSupervisor) -> None:
        """Remove the jobs; one that still runs is left to its retention."""
        ids = iter(self.job_ids)

        async def remove() -> None:
            for job_id in ids:
                try:
                    await supervisor.delete_job(job_id)
                except StoreError as e:
                    log.warning("jobs are left in the store: %s", e)
                    return
                except HeroJobError:
                    continue  # it was never created, or it runs

        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(remove() for _ in range(8))), _CLEAN_UP_S)
