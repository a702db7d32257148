"""The errors of the service itself; those of jobs and of the store are `hero_job.errors`.

Owned here: one root class and what an operator reads when the service cannot start. Each exception carries its data.
"""

from __future__ import annotations

from pathlib import Path


class HeroSupervisorError(Exception):
    """Root of the errors of this package."""


class EmbeddedStoreError(HeroSupervisorError):
    """The embedded store cannot be run."""


class StoreBinaryMissing(EmbeddedStoreError):
    """There is no server program to run."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep where it was looked for and why that is no program."""
        self.path = path
        self.reason = reason
        super().__init__(f"no store binary at {path}: {reason}; set [embedded] binary, or [store] redis_url")


class StoreFolderBusy(EmbeddedStoreError):
    """Another supervisor, or a store that is still ending, uses the folder."""

    def __init__(self, folder: Path, owner_pid: int | None) -> None:
        """Keep the folder and the process that holds it, where that is known."""
        self.folder = folder
        self.owner_pid = owner_pid
        owner = f" (process {owner_pid})" if owner_pid else ""
        super().__init__(f"the store folder {folder} is in use by another supervisor{owner}; give each its own folder")


class StoreFolderUnusable(EmbeddedStoreError):
    """The folder cannot be made or written to."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the folder and the reason of the operating system."""
        self.folder = folder
        self.reason = reason
        super().__init__(f"the store folder {folder} cannot be used: {reason}")


class SocketPathTooLong(EmbeddedStoreError):
    """Neither the folder nor the runtime folder gives a socket path that the kernel takes."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Keep the path that is too long and the kernel's limit."""
        self.path = path
        self.max_bytes = max_bytes
        super().__init__(f"the socket path {path} is longer than {max_bytes} bytes; use a shorter [embedded] dir")


class StoreStartFailed(EmbeddedStoreError):
    """The server ended, or did not answer in time."""

    def __init__(self, folder: Path, reason: str, log_tail: str) -> None:
        """Keep the folder, what happened and the last lines of the server's log."""
        self.folder = folder
        self.reason = reason
        self.log_tail = log_tail
        tail = f"; its log ends with:\n{log_tail}" if log_tail else ""
        super().__init__(f"the embedded store in {folder} {reason}{tail}")
