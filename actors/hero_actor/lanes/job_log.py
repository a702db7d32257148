"""Buffers what the running script of one lane prints, and the progress it reports, until they are written to the store.

The engine adds lines in the lane's thread. The lane empties the buffer when the job ends; the beat empties it every
second while the job runs, so that a log can be read before the job has ended. Invariant: the buffer holds no more lines
than the store keeps, however much a script prints.
"""

from __future__ import annotations

import threading
from collections import deque

from hero_job.model.views import Progress

#: Most lines in the buffer; further ones replace the oldest.
_MAX_LINES = 1000
#: Most characters of one line; a longer line is cut and says how long it was.
_MAX_CHARS = 8192


class JobLogBuffer:
    """The log lines and the progress of one lane's running script; the `RunLog` of its engine. Thread-safe.

    Attributes:
        dirty: There is something to write. It is read without the lock: a writer that comes too late for one look is
            seen by the next.
    """

    __slots__ = ("_lines", "_lock", "_progress", "dirty")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[tuple[str, str]] = deque(maxlen=_MAX_LINES)
        self._progress: Progress | None = None
        self.dirty = False

    def line(self, level: str, text: str) -> None:
        """Add a text, line by line."""
        with self._lock:
            for part in text.split("\n") if "\n" in text else (text,):
                cut = part if len(part) <= _MAX_CHARS else f"{part[:_MAX_CHARS]} ... ({len(part)} characters)"
                self._lines.append((level, cut))
            self.dirty = True

    def progress(self, done: float, total: float, text: str) -> None:
        """Replace the progress."""
        with self._lock:
            self._progress = Progress(done=done, total=total, text=text[:_MAX_CHARS])
            self.dirty = True

    def take(self) -> tuple[list[tuple[str, str]], Progress | None]:
        """Empty the buffer and return its lines (level and text) and the progress, if there is news of it."""
        with self._lock:
            lines, progress = list(self._lines), self._progress
            self._lines.clear()
            self._progress = None
            self.dirty = False
            return lines, progress
