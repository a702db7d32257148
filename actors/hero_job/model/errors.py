"""Every exception that this package raises, in one tree.

    HeroJobError
    +-- JobInvalid            a field of a job is missing or wrong
    +-- JobNotFound           no job with this id
    +-- JobConflict           the id exists with other content
    +-- JobStateError         the job's status does not allow this
    +-- JobFailed             the script ended in an error, timed out or was stopped
    +-- JobDamaged            a job's hash in Redis is unreadable
    +-- NamespaceInUse        an export needs a namespace without running jobs, an import needs an empty one
    +-- ExportInvalid         a file is not a complete export
    +-- WaitTimeout           the wait ended before the job did (also a TimeoutError)
    +-- StoreError
        +-- StoreUrlInvalid   the URL cannot be used
        +-- StoreUnavailable  no connection, or it broke: the outcome of the last command is unknown
        +-- StoreRefused      the store answered with an error (out of memory, read-only, no permission ...)

Exceptions carry data and build their message from it. Callers match on the class and its attributes, never on the text.
"""

from __future__ import annotations

from typing import Final


class HeroJobError(Exception):
    """Root of all errors of this package."""


class JobInvalid(HeroJobError):
    """A field of a job is missing, of a wrong type, or out of range.

    Args:
        field: Name of the field, in snake_case.
        reason: What is wrong and what would be accepted, without the field's name.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"job field '{self.field}': {self.reason}"


class JobNotFound(HeroJobError):
    """No job has this id: it was never created, was deleted, or is past its retention."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"no job with id '{self.job_id}'"


class JobConflict(HeroJobError):
    """A job with this id exists and has other content.

    Args:
        job_id: The id.
        field: The first field found to differ.
    """

    def __init__(self, job_id: str, field: str) -> None:
        super().__init__(job_id, field)
        self.job_id = job_id
        self.field = field

    def __str__(self) -> str:
        return f"job '{self.job_id}' exists already with another '{self.field}'"


class JobStateError(HeroJobError):
    """The job's status does not allow the action.

    Args:
        job_id: The id.
        status: The status that the job has.
        action: What the caller asked for, as a verb ("start", "delete").
    """

    def __init__(self, job_id: str, status: str, action: str) -> None:
        super().__init__(job_id, status, action)
        self.job_id = job_id
        self.status = status
        self.action = action

    def __str__(self) -> str:
        return f"cannot {self.action} job '{self.job_id}': its status is '{self.status}'"


class JobFailed(HeroJobError):
    """The job ended without a result.

    Args:
        job_id: The id.
        kind: The engine's name for the error, or one of the runtime's own: `timeout`, `stopped`, `lost`, `damaged`.
        message: What the script or the runtime said.
        line: Line in the script, from 1, where known.
        column: Column in the script, from 1, where known.
    """

    def __init__(
        self, job_id: str, kind: str, message: str, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(job_id, kind, message, line, column)
        self.job_id = job_id
        self.kind = kind
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        where = "" if self.line is None else f" at line {self.line}"
        if self.line is not None and self.column is not None:
            where += f", column {self.column}"
        return f"job '{self.job_id}' failed ({self.kind}){where}: {self.message}"


class JobDamaged(HeroJobError):
    """The value under a job's key cannot be read as a job.

    Args:
        job_id: The id.
        field: The unreadable field; "" for the whole key.
        reason: What is wrong with it.
    """

    def __init__(self, job_id: str, field: str, reason: str) -> None:
        super().__init__(job_id, field, reason)
        self.job_id = job_id
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        what = f"field '{self.field}'" if self.field else "its key"
        return f"job '{self.job_id}' is damaged in the store: {what}: {self.reason}"


class WaitTimeout(HeroJobError, TimeoutError):
    """The wait for a reply ended before the job did; the job continues.

    Args:
        job_id: The id.
        waited_s: Length of the wait, in seconds.
    """

    def __init__(self, job_id: str, waited_s: float) -> None:
        super().__init__(job_id, waited_s)
        self.job_id = job_id
        self.waited_s = waited_s

    def __str__(self) -> str:
        return f"job '{self.job_id}' has not ended after {self.waited_s:g} s of waiting; it goes on"


class StoreError(HeroJobError):
    """The store could not be reached, or refused a command."""

    is_foreign = True


class StoreUrlInvalid(StoreError):
    """A store URL that cannot be used.

    Args:
        url: The URL, its password hidden.
        reason: What is wrong with it.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"store URL '{self.url}': {self.reason}"


class StoreUnavailable(StoreError):
    """There is no connection to the store, or it broke during a command, whose outcome is then unknown.

    Args:
        url: The URL, its password hidden.
        reason: What the operating system or the server said.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"store at {self.url} is not reachable: {self.reason}"


#: A memory limit that nobody wants: the embedded store gets it while its disk has no room, so that it refuses writes.
DISK_FULL_MAXMEMORY: Final = 1

#: Codes with which a server that is full, busy, loading, or not the master answers every such command.
_PASSING: Final = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
    }
)


class StoreRefused(StoreError):
    """The store answered a command with an error.

    Args:
        code: First word of the server's answer: OOM, READONLY, NOAUTH, NOPERM, WRONGTYPE, ERR ...
        reason: The whole answer.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def explained(self, memory_info: str) -> StoreRefused:
        """Give the reason of a refusal with the code OOM.

        Args:
            memory_info: The server's answer to INFO memory.
        """
        if f"\nmaxmemory:{DISK_FULL_MAXMEMORY}\r" not in memory_info:
            return self
        return StoreRefused(self.code, "OOM the disk of the store is full: it takes no new jobs until there is room")

    @property
    def passing(self) -> bool:
        """Does the server refuse every such command for now, rather than this one for what it says?"""
        return self.code in _PASSING

    def __str__(self) -> str:
        return f"store refused: {self.reason}"


class NamespaceInUse(HeroJobError):
    """An export found running jobs in its namespace, or an import found its namespace not empty.

    Args:
        namespace: The namespace.
        reason: What is in it.
    """

    def __init__(self, namespace: str, reason: str) -> None:
        super().__init__(namespace, reason)
        self.namespace = namespace
        self.reason = reason

    def __str__(self) -> str:
        return f"the namespace {self.namespace!r} is in use: {self.reason}"


class ExportInvalid(HeroJobError):
    """A file is not a complete export.

    Args:
        place: Line of the file.
        reason: What is wrong with it.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"the export cannot be read: {self.place}: {self.reason}"
