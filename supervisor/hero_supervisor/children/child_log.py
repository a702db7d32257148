"""What the processes of the slots write to stdout and stderr: read, kept for a while, and put into the service's log.

Owned here: the reading ends of their pipes, the newest lines of each slot, and how a line becomes one of the service's
log. Used by `slot.py` on the supervisor's loop. Invariants: reading never waits; whatever a process writes costs a
bounded amount of memory and of time; it never waits for us while the loop turns, since a line too many is dropped and
counted.

A line of an actor is a JSON object and comes out as the record that it was, under its own time, level and logger, with
`child` and `incarnation`. Anything else, of a foreign program or of a crash, comes out as `child.said`.
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

log = logging.getLogger(__name__)

#: Longest line that is kept whole, in bytes; the rest of a longer one is dropped.
MAX_LINE_BYTES = 16 * 1024
#: Bytes taken from a pipe at once. When so many are there, the next look comes after a pause: 6 MB/s at most.
_CHUNK_BYTES = 64 * 1024
_PAUSE_S = 0.01
#: What a process may write while this one is busy or stopped, in bytes. An unprivileged user may ask for 1 MiB a pipe,
#: and for 64 MiB in all. Source: pipe(7), /proc/sys/fs/pipe-user-pages-soft
_PIPE_BYTES = 256 * 1024
#: Attributes of every record: a field of such a name must not overwrite one.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Of an actor's line, what is not a field.
_HEAD = frozenset({"at", "level", "logger", "pid", "event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorLine:
    """One line that a process of a slot has written.

    Attributes:
        number: Counts the lines of the slot from 1; lines that were dropped have one too.
        at: When it was read, in ISO 8601, UTC.
        incarnation: Name of the process's start.
        level: Its level, `info` where the line does not say.
        text: The line as it was written, without its end.
    """

    number: int
    at: str
    incarnation: str
    level: str
    text: str


class _Ring:
    """The newest lines of one slot."""

    __slots__ = ("bytes", "count", "lines")

    def __init__(self) -> None:
        self.lines: deque[ActorLine] = deque()
        self.bytes = 0
        self.count = 0

    def add(self, line: ActorLine, max_lines: int, max_bytes: int) -> None:
        self.lines.append(line)
        self.bytes += len(line.text)
        while len(self.lines) > max_lines or (self.bytes > max_bytes and len(self.lines) > 1):
            self.bytes -= len(self.lines.popleft().text)


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
        max_lines: Lines that are kept of a slot.
        max_bytes: And their length, in characters.
        lines_per_s: Lines of a process that go into the service's log in the long run; more are only kept.
        burst: Lines that may come at once.
    """

    def __init__(
        self, *, max_lines: int = 1000, max_bytes: int = 256 * 1024, lines_per_s: float = 1000.0, burst: int = 5000
    ) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._lines_per_s = lines_per_s
        self._burst = burst
        self._rings: dict[str, _Ring] = {}
        self._pipes: dict[int, _Pipe] = {}

    def tail(self, slot: str, count: int = 100, after: int = 0) -> tuple[ActorLine, ...]:
        """The lines of a slot, oldest first; of all its processes, those that have ended too.

        Args:
            slot: Its name. One that has written nothing has no lines.
            count: Most lines to give.
            after: The number up to which they were read: those that follow it. With 0, the newest.
        """
        ring = self._rings.get(slot)
        if ring is None or count <= 0:
            return ()
        if after <= 0:
            return tuple(ring.lines)[-count:]
        return tuple(line for line in ring.lines if line.number > after)[:count]

    def follow(self, slot: str, incarnation: str, pid: int, fd: int) -> None:
        """Read a process's output from now on, until all that hold the other end have ended.

        Args:
            slot: Its slot.
            incarnation: Name of its start.
            pid: Its process id.
            fd: Reading end of its pipe, non-blocking; owned from here on.
        """
        self._pipes[fd] = pipe = _Pipe(slot, incarnation, pid, fd, self._burst)
        asyncio.get_running_loop().add_reader(fd, self._on_readable, pipe)

    def catch_up(self, incarnation: str) -> None:
        """Read what an ended process has left in its pipe: its last words come before the news of its end."""
        for pipe in [pipe for pipe in self._pipes.values() if pipe.incarnation == incarnation]:
            # No more than a pipe holds: a process that it left behind may go on writing.
            for _ in range(_PIPE_BYTES // _CHUNK_BYTES):
                if self._read(pipe) < _CHUNK_BYTES:
                    break

    def forget(self, slots: Collection[str]) -> None:
        """Drop the lines of slots that are no more.

        Args:
            slots: Names of those that there are.
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
        # It writes faster than is good: the others come first.
        loop = asyncio.get_running_loop()
        loop.remove_reader(pipe.fd)
        loop.call_later(_PAUSE_S, self._go_on, pipe)

    def _go_on(self, pipe: _Pipe) -> None:
        if self._pipes.get(pipe.fd) is pipe:
            asyncio.get_running_loop().add_reader(pipe.fd, self._on_readable, pipe)

    def _read(self, pipe: _Pipe) -> int:
        """Read once; gives the number of bytes. Ends the pipe at its end."""
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
                pipe.cutting = False  # the end of a line whose beginning was taken already
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
            self._max_bytes,
        )
        if self._allows(pipe):
            _forward(pipe, entry, text)

    def _allows(self, pipe: _Pipe) -> bool:
        now_mono = time.monotonic()
        refill = (now_mono - pipe.refilled_mono) * self._lines_per_s
        pipe.allowance = min(float(self._burst), pipe.allowance + refill)
        pipe.refilled_mono = now_mono
        # After a flood a second's worth is saved up first, so that it is reported once and not with every line.
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
        The end to read, non-blocking, and the end to write, blocking: a program need not know that it may not wait.

    Raises:
        OSError: There are no more descriptors.
    """
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with contextlib.suppress(OSError):  # a smaller one will do
        fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ours, theirs


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read a line of an actor; None for any other."""
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
    with contextlib.suppress(ValueError):
        record.created = datetime.fromisoformat(str(entry.get("at"))).timestamp()
        record.msecs = record.created % 1 * 1000
    for name, value in (child | entry | child).items():
        if name not in _HEAD:
            setattr(record, f"actor_{name}" if name in _STANDARD else name, value)
    logger.handle(record)
