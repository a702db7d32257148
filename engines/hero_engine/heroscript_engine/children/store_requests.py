"""Answers the store requests of one run, on behalf of its job, in a thread of its own.

The lane's thread meanwhile keeps listening to the child, so a slow store delays neither the deadline nor a stop. Each
answer comes back through a socket pair that belongs to this run alone, so a late answer cannot reach another run.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import Any

from hero_engine.engine import Asker, StoreAccess
from hero_engine.errors import AccessRefused
from hero_engine.heroscript_engine.children import wire
from hero_engine.heroscript_engine.run.settings import EngineSettings

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024


class StoreRequests:
    """The requests of one run, one after the other.

    Args:
        access: The actor's access to the store; None without an actor.
        settings: Say what scripts may request.
        asker: The job.
    """

    __slots__ = ("_access", "_answering", "_asker", "_closed", "_lock", "_ours", "_pending", "_settings", "_theirs")

    def __init__(self, access: StoreAccess | None, settings: EngineSettings, asker: Asker) -> None:
        self._access = access
        self._settings = settings
        self._asker = asker
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None
        self._pending = False
        self._lock = threading.Lock()
        self._answering = 0
        self._closed = False

    @property
    def fd(self) -> int | None:
        """Descriptor that an answer can be read from; None before the first request."""
        return None if self._ours is None else self._ours.fileno()

    def ask(self, method: Any, params: Any) -> bool:
        """Start to answer a request.

        Args:
            method: As the child sent it, unchecked.
            params: As the child sent them, unchecked.

        Returns:
            False if the request before this one has no answer yet.
        """
        if self._pending:
            return False
        self._pending = True
        if self._ours is None:
            self._ours, self._theirs = socket.socketpair()
        with self._lock:
            self._answering += 1
        # A daemon thread, so that a request does not delay the end of the actor.
        threading.Thread(target=self._answer, args=(str(method), params), name="store-request", daemon=True).start()
        return True

    def read(self) -> bytes:
        """Read what has arrived of the answer, framed for the child."""
        assert self._ours is not None
        self._pending = False
        return self._ours.recv(_READ_BYTES)

    def close(self) -> None:
        """Release the sockets; an answer that is still to come is dropped."""
        if self._ours is not None and self._theirs is not None:
            self._ours.close()
            with self._lock:
                self._closed = True
                # A thread that is about to send must still own its socket; it finds out that nobody reads.
                self._close_theirs()

    def _answer(self, method: str, params: Any) -> None:
        theirs = self._theirs
        assert theirs is not None
        try:
            answer = wire.pack([True, self._call(method, params)])
        except AccessRefused as e:
            answer = wire.pack([False, e.reason])
        except Exception as e:
            # A defect, of the actor or of this package: the script gets its type, and the log has the traceback.
            log.exception("heroscript.ask_failed", extra={"method": method})
            answer = wire.pack([False, f"{method}: the actor failed: {type(e).__name__}"])
        with contextlib.suppress(OSError):
            theirs.sendall(answer)
        with self._lock:
            self._answering -= 1
            if self._closed:
                self._close_theirs()

    def _close_theirs(self) -> None:
        if self._theirs is not None and self._answering == 0:
            self._theirs.close()

    def _call(self, method: str, params: Any) -> object:
        family = method.partition(".")[0]
        allowed = {"job": self._settings.jobs, "store": self._settings.values}.get(family, False)
        if not allowed:
            variable = {"job": "HERO_ALLOW_JOBS", "store": "HERO_ALLOW_STORE"}.get(family)
            raise AccessRefused(f"{method:.80} is not allowed here" + (f": {variable} is not set" if variable else ""))
        if self._access is None or not isinstance(params, dict):
            raise AccessRefused("there is no store here: the script does not run in an actor")
        return self._access.call(self._asker, method, params)
