"""Buffers what the running script of one lane prints, and the progress it reports, until they are written to the store.

The engine adds lines in the lane's thread. The lane empties the buffer when the job ends; the beat empties it every
second while the job runs, so that a log can be read before the job has ended. Invariant: the buffer holds no more lines
than the store keeps, and no more bytes than a job may log, however much a script prints. What it drops, it counts.
"""

from __future__ import annotations

import threading
from collections import deque

from hero_job.model.views import Progress

#: Most lines in the buffer, and in the log of a job in the store; further ones replace the oldest.
_MAX_LINES = 1000
#: Most characters of one line; a longer line is cut and says how long it was.
_MAX_CHARS = 8192


class JobLogBuffer:
    """The log lines and the progress of one lane's running script; the `RunLog` of its engine. Thread-safe.

    Args:
        max_bytes: Most text that the buffer holds, in bytes.

    Attributes:
        written: Lines of the running job that have left the buffer, or were dropped. The batch sets it to 0.
        dirty: There is something to write. It is read without the lock: a writer that comes too late for one look is
            seen by the next.
    """

    __slots__ = ("_bytes", "_dropped", "_lines", "_lock", "_max_bytes", "_progress", "dirty", "written")

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._lines: deque[tuple[str, str]] = deque()
        self._bytes = 0
        self._dropped = 0
        self._progress: Progress | None = None
        self.written = 0
        self.dirty = False

    def line(self, level: str, text: str) -> None:
        """Add a text, line by line."""
        # From the end, because a text of millions of lines must not become millions of texts.
        parts = text.rsplit("\n", _MAX_LINES) if "\n" in text else [text]
        with self._lock:
            if len(parts) > _MAX_LINES:
                self._dropped += parts[0].count("\n") + 1
                del parts[0]
            for part in parts:
                line = _cut(part)
                self._lines.append((level, line))
                self._bytes += _size(line)
            while len(self._lines) > _MAX_LINES or (self._bytes > self._max_bytes and len(self._lines) > 1):
                self._bytes -= _size(self._lines.popleft()[1])
                self._dropped += 1
            self.dirty = True

    def progress(self, done: float, total: float, text: str) -> None:
        """Replace the progress."""
        with self._lock:
            self._progress = Progress(done=done, total=total, text=_cut(text))
            self.dirty = True

    def take(self) -> tuple[list[tuple[str, str]], Progress | None]:
        """Empty the buffer and return its lines (level and text) and the progress, if there is news of it."""
        with self._lock:
            lines, progress = list(self._lines), self._progress
            self.written += self._dropped + len(lines)
            if self.written > _MAX_LINES or self._dropped:
                # The line is written anew each time, because newer lines push it out of the log.
                kept = min(len(lines), _MAX_LINES - 1)
                del lines[: len(lines) - kept]
                lines.insert(0, ("warning", f"the script has logged {self.written} lines; older ones are not kept"))
            self._lines.clear()
            self._bytes = self._dropped = 0
            self._progress = None
            self.dirty = False
            return lines, progress


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]} ... ({len(text)} characters)"


def _size(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8", "backslashreplace"))
