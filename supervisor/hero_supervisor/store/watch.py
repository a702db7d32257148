"""Keeps the embedded store running.

Owned here: starting the store without blocking the loop, noticing that it has ended or no longer answers, and starting
it again. `service.py` uses this. Invariant: once the store has been up, it is started again for as long as it takes.
Only a failed first start ends the service.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from hero_job.client.cancellation import end_task
from hero_process.exit_codes import describe
from hero_supervisor.errors import EmbeddedStoreError, StoreStartFailed
from hero_supervisor.policy.child_state import RestartLimits, backoff_s
from hero_supervisor.store.disk_guard import DiskGuard
from hero_supervisor.store.embedded import EmbeddedStore, Readiness

log = logging.getLogger(__name__)

#: Everything waits for the store, so the longest pause between two starts is short.
_LIMITS = RestartLimits(backoff_min_s=0.1, backoff_max_s=5.0, healthy_s=10.0)
#: Time to read its data, in seconds: enough for some gigabytes on a slow disk.
_LOAD_S = 600.0
#: Seconds between two checks whether it still answers.
_PROBE_EVERY_S = 5.0
#: Seconds between two notes of how much of its data is on the disk.
_NOTE_EVERY_S = 60.0
#: A store that does not answer for this many seconds is killed and restarted. Long scripts do not count, since it
#: answers during them. A slow disk may delay a write, and with it every answer, for some seconds.
FROZEN_S = 30.0


class StoreWatch:
    """Keeps one embedded store running.

    Args:
        store: The store, not started.
        roll: Gives chances in [0, 1).
        frozen_s: A store that does not answer for this many seconds is killed and restarted.
    """

    def __init__(
        self, store: EmbeddedStore, *, roll: Callable[[], float] = random.random, frozen_s: float = FROZEN_S
    ) -> None:
        self.store = store
        #: How often it was restarted.
        self.restarts = 0
        self._roll = roll
        self._frozen_s = frozen_s
        self._watching: asyncio.Task[None] | None = None
        self._guard: DiskGuard | None = None
        self._guarding: asyncio.Task[None] | None = None
        #: Bytes of acknowledged writes that were not on the disk when the store was stopped.
        self.unwritten_bytes = 0
        self._ended = asyncio.Event()
        self._unasked = False

    async def start(self) -> asyncio.Task[None]:
        """Start the store and wait until it serves. Call it in the main thread.

        Returns:
            The task that watches it. It ends by itself only because of a defect.

        Raises:
            EmbeddedStoreError: It does not come up.
        """
        await self._bring_up()
        self._watching = asyncio.create_task(self._watch(), name="store watch")
        self._guard = DiskGuard(self.store.folder.path, self.store.url, self.store.maxmemory)
        self._guarding = asyncio.create_task(self._guard.run(), name="disk guard")
        return self._watching

    def disk_free(self) -> int | None:
        """Give the bytes that are free on the store's disk, as of the last look; None before the first."""
        return self._guard.free if self._guard is not None else None

    async def stop(self) -> None:
        """End the store after it has written everything. `unwritten_bytes` says what it could not write."""
        if self._guarding is not None:
            await end_task(self._guarding)
        if self._guard is not None:
            self.unwritten_bytes = await asyncio.to_thread(self._guard.finish)
            self._guard = None
        if self.unwritten_bytes:
            lost = "jobs and results that were acknowledged since store.disk_full"
            log.critical("store.not_written", extra={"bytes": self.unwritten_bytes, "lost": lost})
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))
            self._watching = None
        self._unwatch()
        await asyncio.to_thread(self.store.stop)

    async def _bring_up(self) -> None:
        started_mono = time.monotonic()
        # In this thread, which stays: the kernel ends the store when the thread that started it ends.
        self.store.spawn()
        pause_s = 0.005
        # Asked in another thread, since a store that loads its data or is busy may answer late.
        while not await asyncio.to_thread(self.store.check_started):
            if not self.store.alive():
                self.store.spawn()  # its data has been repaired
            if time.monotonic() - started_mono > _LOAD_S:
                self.store.kill()
                raise StoreStartFailed(
                    self.store.folder.path, f"does not answer after {_LOAD_S:g} s", self.store.folder.log_tail()
                )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.1)
        self._ended.clear()
        if self.store.pidfd is not None:
            asyncio.get_running_loop().add_reader(self.store.pidfd, self._on_end)
        took_s = round(time.monotonic() - started_mono, 3)
        log.info("store.ready", extra={"store": self.store.shown, "store_pid": self.store.pid, "after_s": took_s})

    def _on_end(self) -> None:
        self._unwatch()
        self._ended.set()

    def _unwatch(self) -> None:
        if self.store.pidfd is not None:
            asyncio.get_running_loop().remove_reader(self.store.pidfd)

    async def _until_ended(self) -> None:
        """Wait until the store ends, and kill it when it has been silent for too long."""
        ended = asyncio.create_task(self._ended.wait())
        every_s = min(_PROBE_EVERY_S, self._frozen_s / 4)
        heard_mono = noted_mono = time.monotonic()
        files: frozenset[str] | None = None
        killed = False
        try:
            while not (await asyncio.wait((ended,), timeout=every_s))[0]:
                try:
                    heard = await asyncio.to_thread(self.store.probe, every_s) is not Readiness.SILENT
                    named = self.store.folder.data_names()
                    self._asked(None)
                except OSError as e:
                    # This process lacks what a question takes, such as a descriptor: that is no silence of the store.
                    self._asked(e)
                    heard_mono = time.monotonic()
                    continue
                if heard:
                    heard_mono = time.monotonic()
                    before, files = files, named
                    if heard_mono - noted_mono > _NOTE_EVERY_S or before not in (None, files):
                        noted_mono = heard_mono
                        await asyncio.to_thread(self.store.note_served)
                elif not killed and (silent_s := time.monotonic() - heard_mono) > self._frozen_s:
                    killed = True
                    log.error("store.frozen", extra={"store_pid": self.store.pid, "silent_s": round(silent_s, 1)})
                    self.store.kill()
        finally:
            ended.cancel()

    def _asked(self, error: OSError | None) -> None:
        """Log once that the store cannot be asked, and once that it can be asked again."""
        if error is not None and not self._unasked:
            log.error("store.not_asked", extra={"reason": str(error), "next": "its end is noticed, a freeze is not"})
        elif error is None and self._unasked:
            log.info("store.asked_again")
        self._unasked = error is not None

    async def _watch(self) -> None:
        failures = 0
        while True:
            up_mono = time.monotonic()
            await self._until_ended()
            code = self.store.reap()
            failures = 1 if time.monotonic() - up_mono > _LIMITS.healthy_s else failures + 1
            log.error("store.ended", extra={"reason": describe(code), "log": self.store.folder.log_tail()})
            while True:
                await asyncio.sleep(backoff_s(_LIMITS, failures, held=False, roll=self._roll()))
                try:
                    await self._bring_up()
                except (EmbeddedStoreError, OSError) as e:
                    failures += 1
                    log.error("store.not_started", extra={"reason": str(e)})
                else:
                    self.restarts += 1
                    if self._guard is not None:
                        self._guard.note_restart()
                    break
