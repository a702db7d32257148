"""Watches the disk of the embedded store, and refuses new jobs before a write would find no room.

With `appendfsync everysec` the server acknowledges a write and finds out afterwards that the disk is full. What it has
acknowledged is then in its memory alone. Owned here: a reserve, which is a file that holds room back, and the state in
which the store refuses. `watch.py` runs a guard beside the store. Invariants: the store refuses new jobs while the room
beside the reserve is short; the reserve is given up only when a write has failed, and then what was acknowledged fits
into it; a stop waits for what is not on the disk, and tells what remained.

The server has no switch that refuses writes with a reason of ours. A memory limit of one byte (`DISK_FULL_MAXMEMORY`)
does what is needed: every write is refused, and a client that is refused can tell this limit from a real one.

Source: aof.c of Valkey, flushAppendOnlyFile: after a failed write it keeps the buffer, answers MISCONF, and tries again
with each turn of its event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hero_job.client.store import Store
from hero_job.model.errors import DISK_FULL_MAXMEMORY, StoreError
from hero_job.protocol.op import Op, as_is

log = logging.getLogger(__name__)

FILE_NAME: Final = "reserve"
_MOST_RESERVE: Final = 16 * 1024 * 1024
_LEAST_RESERVE: Final = 256 * 1024
#: Seconds between two looks, when there is plenty of room and when there is not.
_EVERY_S: Final = 1.0
_CLOSELY_S: Final = 0.2
#: How long a stop waits for what is not on the disk, in seconds.
_STOP_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The room on a disk.

    Attributes:
        free: Bytes that are free, without the reserve.
        reserve: Bytes that the reserve holds or would hold. Below so many free bytes the store refuses new jobs.
    """

    free: int
    reserve: int

    @property
    def short(self) -> bool:
        """New jobs must be refused."""
        return self.free < self.reserve

    @property
    def low(self) -> bool:
        """An operator should make room."""
        return self.free < 8 * self.reserve


def room_of(folder: Path) -> Room:
    """Measure the room on the disk of a store's folder.

    Raises:
        OSError: The folder cannot be reached.
    """
    disk = os.statvfs(folder)
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    return Room(free=free, reserve=max(_LEAST_RESERVE, min(_MOST_RESERVE, total // 16)))


class DiskGuard:
    """Guards one embedded store.

    Args:
        folder: The store's folder.
        url: Where the store is. It may hold the password.
        maxmemory: The memory limit that the config asks for.
    """

    def __init__(self, folder: Path, url: str, maxmemory: str) -> None:
        self._reserve_path = folder / FILE_NAME
        self._folder = folder
        self._store = Store(url, name="hero-disk-guard")
        self._maxmemory = maxmemory
        self._refusing = False
        self._warned = False
        #: Bytes that were free at the last look; None before the first.
        self.free: int | None = None

    async def run(self) -> None:
        """Look again and again until cancelled. A store or a disk that cannot be reached only delays this."""
        every_s = _CLOSELY_S
        while True:
            try:
                every_s = _CLOSELY_S if await asyncio.to_thread(self.look) else _EVERY_S
            except (StoreError, OSError) as e:
                log.debug("store.disk_unknown", extra={"reason": str(e)})
            await asyncio.sleep(every_s)

    def look(self) -> bool:
        """Do one look, and what follows from it.

        Returns:
            Whether to look closely from now on.

        Raises:
            StoreError: The store cannot be asked.
            OSError: The disk cannot be measured.
        """
        room = room_of(self._folder)
        self.free = room.free
        failed = self._unwritten() is not None
        if (room.short or failed) and not self._refusing:
            self._refuse(room)
        if failed:
            self._give_up_reserve()
        elif self._refusing and room.free > 3 * room.reserve:
            self._accept(room)
        elif not self._refusing and not room.low:
            self._hold_reserve(room.reserve)
        if room.low and not self._warned:
            self._warned = True
            log.warning("store.disk_low", extra={"free_bytes": room.free, "folder": str(self._folder)})
        self._warned = self._warned and room.free < 16 * room.reserve
        return room.free < 64 * room.reserve or self._refusing

    def note_restart(self) -> None:
        """Take note that the server has its memory limit from its config again."""
        self._refusing = False

    def finish(self) -> int:
        """Wait until everything is on the disk; call it before the store is stopped.

        Returns:
            Bytes of acknowledged writes that are not; 0 if all are.
        """
        deadline_mono = time.monotonic() + _STOP_WAIT_S
        try:
            while (unwritten := self._unwritten()) is not None:
                self._give_up_reserve()
                if time.monotonic() > deadline_mono:
                    return max(1, unwritten)
                time.sleep(_CLOSELY_S)
        except (StoreError, OSError):
            return 0  # there is no store that could have something
        finally:
            self._store.close()
        return 0

    def _unwritten(self) -> int | None:
        """Ask how many bytes the server could not write; None if its last write went well."""
        facts = self._store.run(Op(("INFO", "persistence"), str))
        known = dict(line.split(":", 1) for line in facts.splitlines() if ":" in line)
        if known.get("aof_last_write_status") == "ok":
            return None
        return int(known.get("aof_buffer_length", 0))

    def _refuse(self, room: Room) -> None:
        self._store.run(Op(("CONFIG", "SET", "maxmemory", DISK_FULL_MAXMEMORY), as_is))
        self._refusing = True
        log.error(
            "store.disk_full",
            extra={"free_bytes": room.free, "folder": str(self._folder), "next": "new jobs are refused; make room"},
        )

    def _accept(self, room: Room) -> None:
        self._hold_reserve(room.reserve)
        self._store.run(Op(("CONFIG", "SET", "maxmemory", self._maxmemory), as_is))
        self._refusing = False
        log.warning("store.disk_has_room", extra={"free_bytes": room.free, "folder": str(self._folder)})

    def _hold_reserve(self, size: int) -> None:
        if self._reserve_path.exists():
            return
        fd = os.open(self._reserve_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)

    def _give_up_reserve(self) -> None:
        self._reserve_path.unlink(missing_ok=True)
        # The server tries again with the next turn of its event loop. It would refuse a PING.
        self._store.run(Op(("TIME",), as_is))
