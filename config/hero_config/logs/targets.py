"""Where the log of the service goes: stderr, the systemd journal with its fields, or a file that is rotated.

Owns the handlers, and chooses one by the settings. Called by the programs of the supervisor; actors write to a pipe
that their supervisor reads. Invariant: a record that cannot be written to its target goes to stderr instead.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ (datagrams, memfd for large ones), systemd.exec(5) (JOURNAL_STREAM).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import logging
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from hero_config.logs import setup as logs
from hero_config.model.settings import SupervisorSettings

JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "hero-supervisor"

_PRIORITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
#: Fields that operators search for (`journalctl HERO_ACTOR=sal-1`). The names of all others are derived.
_NAMES: Final = {"child": "HERO_ACTOR", "incarnation": "HERO_INCARNATION", "job_id": "HERO_JOB"}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Z0-9_]")
# fcntl(2): F_ADD_SEALS with SEAL, SHRINK, GROW and WRITE. The journal accepts only a memfd that cannot change any more.
_F_ADD_SEALS: Final = 1033
_ALL_SEALS: Final = 0x1 | 0x2 | 0x4 | 0x8
#: After this many seconds a file that could not be rotated is rotated, and trouble with it is told again.
_AGAIN_S: Final = 60


def configure(settings: SupervisorSettings, environ: Mapping[str, str] = os.environ) -> None:
    """Send this process's log where the settings say. A second call replaces the first.

    Args:
        settings: Target, level and format.
        environ: Environment variables.

    Raises:
        OSError: The file cannot be opened, or there is no journal.
    """
    handler: logging.Handler | None = None
    target = settings.log_to
    if target == "auto":
        target = "journal" if stderr_is_journal(environ) else "stderr"
    if target == "journal":
        handler = JournalHandler()
    elif target == "file":
        handler = LogFile(Path(settings.log_file), settings.log_max_bytes, settings.log_keep)
    logs.configure(settings.log_level, settings.log_format, handler=handler)


def reopen() -> None:
    """Reopen the log file by its name, after it was moved. Does nothing if the log goes elsewhere."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.reopen()


def stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """Tell whether stderr leads to the journal.

    Args:
        environ: Environment variables; in JOURNAL_STREAM systemd names the device and inode of that stream.
    """
    named = environ.get("JOURNAL_STREAM", "")
    try:
        facts = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{facts.st_dev}:{facts.st_ino}" and Path(JOURNAL_SOCKET).exists()


class LogFile(RotatingFileHandler):
    """A file that is rotated when it is full, and can be reopened.

    Args:
        path: The file; its folder must exist.
        max_bytes: Size at which it is rotated to `PATH.1`, `PATH.2` and so on; 0 lets it grow.
        keep: Number of rotated files to keep.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self._rotates_from_mono = self._tells_from_mono = 0.0
        super().__init__(path, maxBytes=max_bytes, backupCount=keep, encoding="utf-8", errors="backslashreplace")

    def reopen(self) -> None:
        """Close the file, and open the one that has its name now; create it if there is none."""
        self.acquire()
        try:
            before, self.stream = self.stream, self._open()
            if before is not None:
                with contextlib.suppress(OSError):  # what it could not write went to stderr
                    before.close()
        except OSError as e:
            # The file that is open still takes the records.
            logging.getLogger(__name__).error("log.not_reopened", extra={"file": self.baseFilename, "reason": str(e)})
        finally:
            self.release()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Write a record to stderr that could not be written to the file, for example because the disk is full."""
        reason = sys.exc_info()[1]
        _to_stderr(self, record)
        if time.monotonic() >= self._tells_from_mono:
            self._tells_from_mono = time.monotonic() + _AGAIN_S
            fields = {"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR", "msg": "log.not_written"}
            facts = {"file": self.baseFilename, "reason": str(reason), "next": "stderr has what the file lacks"}
            _to_stderr(self, logging.makeLogRecord(fields | facts))

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  # the library's name
        """Tell whether the file is full, and may be rotated."""
        if self.stream is not None and self.stream.closed:
            # It was closed by a rotation that could not write the last lines. It is opened again.
            self.stream = None
        return time.monotonic() >= self._rotates_from_mono and bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802  # the library's name
        """Rotate the file; if that fails, the file of this name takes the records, and a rotation is tried later."""
        try:
            super().doRollover()
        except OSError as e:
            self._rotates_from_mono = time.monotonic() + _AGAIN_S
            if self.stream is not None and self.stream.closed:
                self.stream = None
            facts = {"file": self.baseFilename, "reason": str(e), "again_in_s": _AGAIN_S}
            logging.getLogger(__name__).error("log.not_rotated", extra=facts)

    def _open(self) -> io.TextIOWrapper:
        # The log has ids and callers of jobs, so others may not read it.
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        return io.TextIOWrapper(os.fdopen(fd, "ab"), encoding=self.encoding, errors=self.errors, line_buffering=True)


class JournalHandler(logging.Handler):
    """Sends records to the journal, with their fields.

    Args:
        path: The journal's socket.

    Raises:
        OSError: There is no journal.
    """

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            self._send(b"".join(_encoded(name, value) for name, value in _journal_fields(record)))
        except OSError:
            # The journal's queue is full, or the journal is gone. The event loop that logs must not wait.
            _to_stderr(self, record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except OSError as e:
            # Other errors than these mean that the journal is gone; these mean that the datagram is too long.
            if e.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_as_file(message)

    def _send_as_file(self, message: bytes) -> None:
        fd = os.memfd_create("hero-log", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(message)
            fcntl.fcntl(fd, _F_ADD_SEALS, _ALL_SEALS)
            socket.send_fds(self._socket, [b""], [fd])
        finally:
            os.close(fd)


def _journal_fields(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", logs.text_of(record)
    yield "PRIORITY", str(_PRIORITIES.get(record.levelno, 6))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "HERO_EVENT", record.getMessage()
    yield "HERO_LOGGER", record.name
    for name, value in logs.fields_of(record).items():
        yield _NAMES.get(name) or "HERO_" + _NOT_IN_NAMES.sub("_", name.upper())[:58], str(value)


def _encoded(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def _to_stderr(handler: logging.Handler, record: logging.LogRecord) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(handler.format(record) + "\n")
        sys.stderr.flush()
