"""Writes job logs to files below one configured folder.

A job's `log_path` comes from its submitter, who must not be able to write anywhere else. Invariant: the path is opened
component by component, relative to the folder's descriptor, and no step follows a symbolic link or goes up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime


class LogPathRefused(Exception):
    """A log path leads out of the folder, through a link, or to something that is not a file.

    Args:
        path: The path from the job.
        reason: What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"log path {self.path!r:.200}: {self.reason}"


def append_lines(folder: str, path: str, job_id: str, lines: Sequence[tuple[str, str]]) -> None:
    """Append lines to a log file; create the folders on the way.

    Args:
        folder: The configured folder; created if it does not exist.
        path: Path of the file, relative to the folder.
        job_id: Written into each line, because several jobs may share a file.
        lines: Level and text of each line.

    Raises:
        LogPathRefused: The path is absolute or empty, goes up, or leads through a link or a file.
        OSError: The folder is not writable.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or not parts or "\0" in path:
        raise LogPathRefused(path, "must be a relative path that does not go up")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = "".join(f"{now} {level} {job_id} {line}\n" for level, line in lines)
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103  importing pathlib would cost every actor memory
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=at)
            below = _open(path, part, os.O_RDONLY | os.O_DIRECTORY, at)
            os.close(at)
            at = below
        # O_NONBLOCK: opening a named pipe that nobody reads must fail instead of blocking the lane.
        file = _open(path, parts[-1], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, at)
        try:
            os.write(file, text.encode("utf-8", "backslashreplace"))
        finally:
            os.close(file)
    finally:
        os.close(at)


def _open(path: str, part: str, flags: int, at: int) -> int:
    try:
        return os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=at)
    except OSError as e:
        raise LogPathRefused(path, f"'{part}': {e.strerror}") from e
