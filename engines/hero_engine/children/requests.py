"""Answers the questions of one run, on behalf of its job, in a thread of its own.

Any function that a script calls in its child may ask the actor (`ParentChannel.ask`): for the store, or for whatever
else only the actor has. The engine's `answer` carries the request out.

The lane's thread meanwhile keeps listening to the child, so a slow answer delays neither the deadline nor a stop. Each
answer comes back through a socket pair that belongs to this run alone, so a late answer cannot reach another run.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hero_engine.children import wire
from hero_engine.errors import AccessRefused
from hero_process.defects import log_failure

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024

#: Carries out one request: method and parameters in, a JSON value out. Raises `AccessRefused`.
Answer: TypeAlias = Callable[[str, Mapping[str, object]], object]


class ChildRequests:
    """The requests of one run, one after the other.

    Args:
        answer: Carries them out, for the job of this run. Called from other threads.
    """

    __slots__ = ("_answer", "_answering", "_closed", "_lock", "_ours", "_pending", "_theirs")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
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
        threading.Thread(target=self._reply, args=(str(method), params), name="child-request", daemon=True).start()
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

    def _reply(self, method: str, params: Any) -> None:
        theirs = self._theirs
        assert theirs is not None
        try:
            if not isinstance(params, dict):
                raise AccessRefused(f"{method:.80} takes parameters by name")
            answer = wire.pack([True, self._answer(method, params)])
        except AccessRefused as e:
            answer = wire.pack([False, e.reason])
        except Exception as e:  # noqa: BLE001 - logged
            # A defect, of the actor or of this package: the script gets its type, and the log has the traceback.
            log_failure(log, "child.ask_failed", e, method=method)
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
