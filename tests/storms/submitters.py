"""Clients that submit jobs in a storm without a pause, and remember which ones were acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from hero_job import StoreError
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.flow import chunks
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.job.conftest import MakeJob

#: Seconds between two submissions of one client: it shows what a switch does, and leaves the machine to the servers.
_PAUSE_S = 0.005


class Submitters:
    """One client with each of the two stores.

    Args:
        url: URL of the store.
        namespace: Where the jobs go.
        make_job: Makes a job.
        enter: Called first in each thread; brings it into a network namespace.

    Attributes:
        acknowledged: For each client: job and when it was sent, on the monotonic clock. A thread may be told late of
            what the server acknowledged, but what was sent after a moment was acknowledged after it.
    """

    def __init__(
        self, url: str, namespace: str, make_job: MakeJob, *, enter: Callable[[], None] = lambda: None
    ) -> None:
        self.acknowledged: tuple[list[tuple[str, float]], ...] = ([], [])
        self._url = url
        self._operations = Operations(namespace)
        self._make_job = make_job
        self._enter = enter
        self._over = threading.Event()

    @contextlib.contextmanager
    def submitting(self) -> Iterator[None]:
        """Submit jobs while the block runs."""
        threads = [
            threading.Thread(target=self._submit),
            threading.Thread(target=lambda: asyncio.run(self._on_loop())),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def since(self, moment_mono: float) -> int:
        """How many jobs that were sent since then each client has had acknowledged; of the slower one."""
        return min(sum(at > moment_mono for _, at in jobs) for jobs in self.acknowledged)

    def go_on(self, what: str, jobs: int = 10) -> None:
        """Wait until each client has had some more jobs acknowledged, from now on."""
        now_mono = time.monotonic()
        eventually(lambda: self.since(now_mono) >= jobs, what=f"jobs are acknowledged {what}")

    def lost(self, url: str) -> list[float]:
        """Ask the store for all acknowledged jobs.

        Returns:
            When those that are gone had been sent, on the monotonic clock.
        """
        asked = [job for jobs in self.acknowledged for job in tuple(jobs)]
        with Store(url) as store:
            there: list[int] = []
            for few in chunks(asked, 500):
                there += store.run_many([Op(("EXISTS", self._operations.keys.job(job)), int) for job, _ in few])
        return [at for (_, at), is_there in zip(asked, there, strict=True) if is_there != 1]

    def longest_gap_s(self) -> float:
        """Give the longest time between two jobs of one client that were acknowledged, in seconds."""
        return max(_gap(jobs) for jobs in self.acknowledged)

    def _submit(self) -> None:
        self._enter()
        with Store(self._url) as store:
            while not self._over.wait(_PAUSE_S):
                job, sent_mono = self._make_job(), time.monotonic()
                with contextlib.suppress(StoreError):
                    store.run(self._operations.create(job, start=True))
                    self.acknowledged[0].append((job.id, sent_mono))

    async def _on_loop(self) -> None:
        self._enter()  # the loop is the only thing in its thread
        async with AsyncStore(self._url) as store:
            while not self._over.is_set():
                job, sent_mono = self._make_job(), time.monotonic()
                with contextlib.suppress(StoreError):
                    await store.run(self._operations.create(job, start=True))
                    self.acknowledged[1].append((job.id, sent_mono))
                await asyncio.sleep(_PAUSE_S)


def _gap(jobs: Sequence[tuple[str, float]]) -> float:
    times = [at for _, at in jobs]
    return max((after - before for before, after in itertools.pairwise(times)), default=0.0)
