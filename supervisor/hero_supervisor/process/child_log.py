"""Reads what the processes of the slots print, keeps the newest lines, and writes them to the service's log.

Owned here: the reading ends of the processes' pipes, the newest lines of each slot, and how a line becomes a record of
the service's log. Used by `children/slot.py` on the supervisor's loop. Invariants: reading never waits; the output of a
process costs a bounded amount of memory and time; while the loop turns, a process never waits for us, since lines that
come too fast are dropped and counted.

A line of an actor is a JSON object. It becomes a record with its own time, level and logger, and with `child` and
`incarnation`. Any other line, from a third-party program or a crash, becomes a `child.said` record.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from hero_process.defects import log_failure

log = logging.getLogger(__name__)

#: Longest line that is kept whole, in bytes. The rest of a longer line is dropped.
MAX_LINE_BYTES = 16 * 1024
#: Bytes that one read takes from a pipe. After a full read there is a pause, so that a process gets 6 MB/s at most.
_CHUNK_BYTES = 64 * 1024
_PAUSE_S = 0.01
#: Pause before the kernel is asked again to watch a pipe, in seconds.
_AGAIN_S = 1.0
#: Size of a pipe: what a process may write while the supervisor is busy or stopped, in bytes. An unprivileged user may
#: have 1 MiB per pipe and 64 MiB in all. Source: pipe(7), /proc/sys/fs/pipe-user-pages-soft
_PIPE_BYTES = 256 * 1024
#: Attributes that formatters give to a log record. A field of the same name must not overwrite one.
_STANDARD = frozenset({"message", "asctime", "taskName"})
#: Keys of an actor's line that become attributes of the record rather than fields.
_HEAD = frozenset({"at", "level", "logger", "pid", "event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorLine:
    """One line that a process of a slot has written.

    Attributes:
        number: Number of the line in its slot, from 1. Dropped lines are counted too.
        at: When it was read, in ISO 8601 and UTC.
        incarnation: Incarnation of the process.
        level: Its level; `info` when the line does not say.
        text: The line as it was written, without the line end.
    """

    number: int
    at: str
    incarnation: str
    level: str
    text: str


class _Ring:
    """The newest lines of one slot."""

    __slots__ = ("chars", "count", "lines")

    def __init__(self) -> None:
        self.lines: deque[ActorLine] = deque()
        self.chars = 0
        self.count = 0

    def add(self, line: ActorLine, max_lines: int, max_chars: int) -> None:
        self.lines.append(line)
        self.chars += len(line.text)
        while len(self.lines) > max_lines or (self.chars > max_chars and len(self.lines) > 1):
            self.chars -= len(self.lines.popleft().text)


class _Pipe:
    """The reading end of one process's output."""

    __slots__ = ("allowance", "cutting", "dropped", "fd", "incarnation", "pid", "refilled_mono", "rest", "slot")

    def __init__(self, slot: str, incarnation: str, pid: int, fd: int, allowance: float) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.pid = pid
        self.fd = fd
        self.rest = b""
        self.cutting = False
        self.allowance = allowance
        self.refilled_mono = time.monotonic()
        self.dropped = 0


class ActorLogs:
    """The output of all processes of a supervisor.

    Args:
        max_lines: Lines that are kept per slot.
        max_chars: Their total length, in characters.
        lines_per_s: Lines per second of one process that go to the service's log in the long run. Further lines are
            kept, but not logged.
        burst: Lines that one process may print before `lines_per_s` applies.
    """

    def __init__(
        self, *, max_lines: int = 1000, max_chars: int = 256 * 1024, lines_per_s: float = 1000.0, burst: int = 5000
    ) -> None:
        self._max_lines = max_lines
        self._max_chars = max_chars
        self._lines_per_s = lines_per_s
        self._burst = burst
        self._rings: dict[str, _Ring] = {}
        self._pipes: dict[int, _Pipe] = {}

    def tail(self, slot: str, count: int = 100, after: int = 0) -> tuple[ActorLine, ...]:
        """Give the newest lines of a slot, oldest first, including those of processes that have ended.

        Args:
            slot: Its name. A slot that has printed nothing has no lines.
            count: Largest number of lines to give.
            after: Give the lines that follow this number; 0 gives the newest ones.
        """
        ring = self._rings.get(slot)
        if ring is None or count <= 0:
            return ()
        if after <= 0:
            return tuple(ring.lines)[-count:]
        return tuple(line for line in ring.lines if line.number > after)[:count]

    def follow(self, slot: str, incarnation: str, pid: int, fd: int) -> None:
        """Read a process's output from now on, until every process that holds the writing end has ended.

        Args:
            slot: Its slot.
            incarnation: Its incarnation.
            pid: Its process id.
            fd: Reading end of its pipe, non-blocking. It is closed here.

        Raises:
            OSError: The kernel watches no more descriptors. The pipe is closed.
        """
        pipe = _Pipe(slot, incarnation, pid, fd, self._burst)
        try:
            asyncio.get_running_loop().add_reader(fd, self._on_readable, pipe)
        except OSError:
            os.close(fd)
            raise
        self._pipes[fd] = pipe

    def drop(self, incarnation: str) -> None:
        """Stop reading the output of a process that was not started after all."""
        for pipe in [pipe for pipe in self._pipes.values() if pipe.incarnation == incarnation]:
            self._end(pipe)

    def catch_up(self, incarnation: str) -> None:
        """Read what an ended process has left in its pipe, so that its last words come before the report of its end."""
        for pipe in [pipe for pipe in self._pipes.values() if pipe.incarnation == incarnation]:
            # Not more than a pipe holds: a process that it left behind may go on writing.
            for _ in range(_PIPE_BYTES // _CHUNK_BYTES):
                if self._read(pipe) < _CHUNK_BYTES:
                    break

    def forget(self, slots: Collection[str]) -> None:
        """Drop the lines of slots that no longer exist.

        Args:
            slots: Names of the slots that exist.
        """
        followed = {pipe.slot for pipe in self._pipes.values()}
        for name in [name for name in self._rings if name not in slots and name not in followed]:
            del self._rings[name]

    def close(self) -> None:
        """Stop reading, at the end of the service."""
        for pipe in tuple(self._pipes.values()):
            self._read(pipe)
            if pipe.fd in self._pipes:
                self._end(pipe)

    def _on_readable(self, pipe: _Pipe) -> None:
        if self._read(pipe) < _CHUNK_BYTES or pipe.fd not in self._pipes:
            return
        # It prints too fast: let the loop serve the others first.
        loop = asyncio.get_running_loop()
        loop.remove_reader(pipe.fd)
        loop.call_later(_PAUSE_S, self._go_on, pipe)

    def _go_on(self, pipe: _Pipe) -> None:
        if self._pipes.get(pipe.fd) is pipe:
            loop = asyncio.get_running_loop()
            try:
                loop.add_reader(pipe.fd, self._on_readable, pipe)
            except OSError as e:
                # The process must not wait for us, so this is tried until it works.
                log.error("child.output_waits", extra={"child": pipe.slot, "reason": str(e)})
                loop.call_later(_AGAIN_S, self._go_on, pipe)

    def _read(self, pipe: _Pipe) -> int:
        """Read once and give the number of bytes. Closes the pipe at the end of file."""
        if self._pipes.get(pipe.fd) is not pipe:
            return 0
        try:
            data = os.read(pipe.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            if pipe.rest and not pipe.cutting:
                self._take(pipe, pipe.rest)
            self._end(pipe)
            return 0
        *lines, rest = (pipe.rest + data).split(b"\n")
        for line in lines:
            if pipe.cutting:
                pipe.cutting = False  # the end of a long line, whose beginning was kept
            else:
                self._take(pipe, line)
        if len(rest) > MAX_LINE_BYTES:
            if not pipe.cutting:
                self._take(pipe, rest)
            pipe.cutting, rest = True, b""
        pipe.rest = rest
        return len(data)

    def _take(self, pipe: _Pipe, line: bytes) -> None:
        if not line.strip():
            return
        ring = self._rings.setdefault(pipe.slot, _Ring())
        ring.count += 1
        text = line[:MAX_LINE_BYTES].decode("utf-8", "backslashreplace").rstrip("\r")
        entry = _parse(line)
        level = str(entry["level"]) if entry else "info"
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ring.add(
            ActorLine(number=ring.count, at=at, incarnation=pipe.incarnation, level=level, text=text),
            self._max_lines,
            self._max_chars,
        )
        if self._allows(pipe):
            try:
                _forward(pipe, entry, text)
            except Exception as e:  # noqa: BLE001 - logged
                # The callback that reads has more to do: it may be the one for the end of the process.
                log_failure(log, "child.line_not_logged", e, child=pipe.slot)

    def _allows(self, pipe: _Pipe) -> bool:
        now_mono = time.monotonic()
        refill = (now_mono - pipe.refilled_mono) * self._lines_per_s
        pipe.allowance = min(float(self._burst), pipe.allowance + refill)
        pipe.refilled_mono = now_mono
        # After a flood, wait until a second's worth of lines is allowed. Otherwise each line would report drops.
        if pipe.allowance < (min(self._lines_per_s, self._burst) if pipe.dropped else 1.0):
            pipe.dropped += 1
            return False
        pipe.allowance -= 1.0
        self._tell_dropped(pipe)
        return True

    def _tell_dropped(self, pipe: _Pipe) -> None:
        if pipe.dropped:
            extra = {"child": pipe.slot, "incarnation": pipe.incarnation, "lines": pipe.dropped}
            log.warning("child.lines_dropped", extra=extra)
            pipe.dropped = 0

    def _end(self, pipe: _Pipe) -> None:
        self._tell_dropped(pipe)
        del self._pipes[pipe.fd]
        asyncio.get_running_loop().remove_reader(pipe.fd)
        os.close(pipe.fd)


def open_pipe() -> tuple[int, int]:
    """Make a pipe for a process's output.

    Returns:
        The reading end, non-blocking, and the writing end, blocking: programs expect their output to block.

    Raises:
        OSError: This process has no descriptors left.
    """
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with contextlib.suppress(OSError):  # a smaller pipe will do
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ours, theirs


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read a line of an actor; None when it is something else."""
    if not line.startswith(b"{"):
        return None
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("event"), str):
        return None
    return entry if str(entry.get("level")).upper() in logging.getLevelNamesMapping() else None


def _forward(pipe: _Pipe, entry: dict[str, Any] | None, text: str) -> None:
    child = {"child": pipe.slot, "incarnation": pipe.incarnation}
    if entry is None:
        log.info("child.said", extra={**child, "child_pid": pipe.pid, "text": text})
        return
    logger = logging.getLogger(str(entry.get("logger") or __name__))
    level = logging.getLevelNamesMapping()[str(entry["level"]).upper()]
    if not logger.isEnabledFor(level):
        return
    record = logger.makeRecord(logger.name, level, "", 0, entry["event"], (), None)
    record.process = entry["pid"] if isinstance(entry.get("pid"), int) else pipe.pid
    with contextlib.suppress(ValueError, ArithmeticError, OSError):
        record.created = datetime.fromisoformat(str(entry.get("at"))).timestamp()
        record.msecs = record.created % 1 * 1000
    for name, value in (child | entry | child).items():
        if name not in _HEAD:
            # Never by setattr: the name is anything that a program prints, `__class__` for example.
            record.__dict__[f"actor_{name}" if name in _STANDARD or hasattr(record, name) else name] = value
    logger.handle(record)
