"""The errors of the service itself. `hero_job.model.errors` has those of jobs and of the store.

Owned here: the root class, and what an operator reads when the service cannot start or a command is refused. Each
exception carries its data, and its message says what to do next.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


class HeroSupervisorError(Exception):
    """Root of the errors of this package."""


class EmbeddedStoreError(HeroSupervisorError):
    """The embedded store cannot be run."""


class StoreBinaryMissing(EmbeddedStoreError):
    """There is no server program to run."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep the path that was tried, and why it is not a program."""
        self.path = path
        self.reason = reason
        super().__init__(f"no store binary at {path}: {reason}; set [embedded] binary, or [store] redis_url")


class StoreFolderBusy(EmbeddedStoreError):
    """Another supervisor, or a store that is still ending, uses the folder."""

    def __init__(self, folder: Path, owner_pid: int | None) -> None:
        """Keep the folder, and the process that holds it if that is known."""
        self.folder = folder
        self.owner_pid = owner_pid
        owner = f" (process {owner_pid})" if owner_pid else ""
        super().__init__(f"the store folder {folder} is in use by another supervisor{owner}; give each its own folder")


class StoreFolderUnusable(EmbeddedStoreError):
    """The folder cannot be made or written to."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the folder and the reason."""
        self.folder = folder
        self.reason = reason
        super().__init__(f"the store folder {folder} cannot be used: {reason}; correct it, or set [embedded] dir")


class SocketPathTooLong(EmbeddedStoreError):
    """Neither the folder nor the runtime folder gives a socket path that is short enough for the kernel."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Keep the path that is too long and the kernel's limit."""
        self.path = path
        self.max_bytes = max_bytes
        super().__init__(f"the socket path {path} is longer than {max_bytes} bytes; use a shorter [embedded] dir")


class StoreStartFailed(EmbeddedStoreError):
    """The server ended while it started, or did not answer in time."""

    def __init__(self, folder: Path, reason: str, log_tail: str) -> None:
        """Keep the folder, what happened and the last lines of the server's log."""
        self.folder = folder
        self.reason = reason
        self.log_tail = log_tail
        tail = f"; its log ends with:\n{log_tail}" if log_tail else ""
        super().__init__(f"the embedded store in {folder} {reason}{tail}")


class StoreDataDamaged(StoreStartFailed):
    """The data is damaged, and cannot be repaired by cutting off its end."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the folder and what is damaged."""
        cure = "Restore a copy, or see 'damaged data' in docs/how-to/incidents.md"
        text = f"is damaged: {reason}; nothing was changed. {cure}"
        super().__init__(folder, text, "")


class StoreDataIncomplete(EmbeddedStoreError):
    """Files of the data are missing, damaged or not named, so the server would lose what they hold."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the folder and what does not add up."""
        self.folder = folder
        self.reason = reason
        text = f"the data of the embedded store in {folder} is not complete: {reason}; nothing was changed"
        super().__init__(f"{text}. Restore a copy, or see 'incomplete data' in docs/how-to/incidents.md")


class StoreDataForeign(EmbeddedStoreError):
    """The folder holds data that this version does not read."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the folder and what was found."""
        self.folder = folder
        self.reason = reason
        super().__init__(f"the store folder {folder} {reason}; nothing was changed")


class FleetError(HeroSupervisorError):
    """A command of an operator for the actor processes cannot be carried out."""


class NotSupervised(FleetError):
    """This server has no actor processes of its own."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("this server supervises no actors; ask the supervisor that runs them")


class ActorUnknown(FleetError):
    """No entry and no slot of this supervisor has this name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        """Keep the name and the known names."""
        self.name = name
        self.known = known
        super().__init__(f"there is no actor '{name}'; there are {', '.join(known) or 'none'}")


class FunctionsUnknown(FleetError):
    """The functions that an entry offers to its scripts cannot be listed."""

    def __init__(self, name: str, reason: str) -> None:
        """Keep the entry and the reason."""
        self.name = name
        self.reason = reason
        super().__init__(f"the functions of '{name}' cannot be listed: {reason}")


class ActorElsewhere(FleetError):
    """The actor belongs to another supervisor."""

    def __init__(self, name: str, host: str) -> None:
        """Keep its name and its host."""
        self.name = name
        self.host = host
        super().__init__(f"the actor '{name}' is not a child of this supervisor: it runs on {host}; ask there")


class ScaleRefused(FleetError):
    """The name is not that of an entry, or the number is outside its limits."""

    def __init__(self, name: str, reason: str) -> None:
        """Keep the name and the reason."""
        self.name = name
        self.reason = reason
        super().__init__(f"'{name}' cannot be scaled: {reason}")


class RollStopped(FleetError):
    """A new process did not become ready, so the remaining ones were not replaced."""

    def __init__(self, slot: str, reason: str, kept: tuple[str, ...], replaced: tuple[str, ...]) -> None:
        """Keep the slot, the reason, the slots that keep their process, and those that were replaced before."""
        self.slot = slot
        self.reason = reason
        self.kept = kept
        self.replaced = replaced
        super().__init__(f"the new process of {slot} did not become ready ({reason}); not replaced: {', '.join(kept)}")


class ReloadRefused(FleetError):
    """The config cannot be loaded again. The old settings stay."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep every problem."""
        self.problems = problems
        super().__init__(f"the config was not applied, and the old settings stay: {'; '.join(problems)}")


class LaunchRefused(HeroSupervisorError):
    """A process cannot be started as its settings ask. Another try would fail in the same way."""

    def __init__(self, setting: str, value: str, reason: str) -> None:
        """Keep the setting, its value, and what is wrong with it."""
        self.setting = setting
        self.value = value
        self.reason = reason
        super().__init__(f"{setting} = {value!r}: {reason}")


class PortUnusable(HeroSupervisorError, OSError):
    """The TCP port of the RPC cannot be opened.

    Args:
        bind: Its address.
        port: Its number.
        error: What the kernel said.
    """

    def __init__(self, bind: str, port: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.bind = bind
        self.port = port

    def __str__(self) -> str:
        said = os.strerror(self.errno or 0)
        cure = {
            errno.EADDRINUSE: "another program listens there (`ss -ltnp` names it): end it, or change [rpc] port",
            errno.EADDRNOTAVAIL: "this machine does not have that address: change [rpc] bind",
            errno.EACCES: "this user may not open ports below 1024: change [rpc] port, or let systemd open it (--tcp)",
        }.get(self.errno or 0, "change [rpc] bind or port")
        return f"cannot listen on {self.bind}:{self.port}: {said}; {cure}"
