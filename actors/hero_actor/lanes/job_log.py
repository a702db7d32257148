"""What the script of one lane prints and how far it is, on its way to the job's log.

The engine writes into it in the lane's thread; the lane empties it when the job ends, the beat while it runs, so that a
log can be read before its job has ended. Bounded: a script that prints without end costs memory and the store no more
than the log keeps anyway.
"""

from __future__ import annotations

import threading
from collections import deque

from hero_job.model.views import Progress

#: Lines that wait to be written; the oldest give way.
_MAX_LINES = 1000
#: Characters of one line; the rest is cut off and said so.
_MAX_CHARS = 8192


class Journal:
    """The words of one lane's running script. Thread-safe.

    Attributes:
        dirty: There is something to write. Read without the lock: a late look is as good as a lock.
    """

    __slots__ = ("_lines", "_lock", "_progress", "dirty")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[tuple[str, str]] = deque(maxlen=_MAX_LINES)
        self._progress: Progress | None = None
        self.dirty = False

    def line(self, level: str, text: str) -> None:
        """Take a line; of several each."""
        with self._lock:
            for part in text.split("\n") if "\n" in text else (text,):
                cut = part if len(part) <= _MAX_CHARS else f"{part[:_MAX_CHARS]} ... ({len(part)} characters)"
                self._lines.append((level, cut))
            self.dirty = True

    def progress(self, done: float, total: float, text: str) -> None:
        """Take the news how far it is; only the last counts."""
        with self._lock:
            self._progress = Progress(done=done, total=total, text=text[:_MAX_CHARS])
            self.dirty = True

    def take(self) -> tuple[list[tuple[str, str]], Progress | None]:
        """Take out what there is to write."""
        with self._lock:
            lines, progress = list(self._lines), self._progress
            self._lines.clear()
            self._progress = None
            self.dirty = False
            return lines, progress
