"""What the answers of a server mean to a connection: errors, and how many replicas have a write. Pure.

`connection.py` and `async_store.py` call it.
"""

from __future__ import annotations

import os
from typing import Any, Final

import hiredis

from hero_job.client.url import Mode, StoreUrl
from hero_job.model.errors import StoreRefused, StoreUnavailable

#: How long the server may wait for its replicas, in ms, with `wait_replicas`.
REPLICAS_WAIT_MS: Final = 1000
#: Codes of a server that is loading its data, has become a replica, or whose cluster is electing a master.
_WRONG_SERVER: Final = frozenset({"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"})
_NO_ROOM: Final = "ERR max number of clients reached"
#: How errors begin that say that the server has not run the command, and what to do to have it run.
NOT_RUN: Final = ("NOSCRIPT", "MOVED ", "ASK ")


def check_replicas(url: StoreUrl, reached: Any) -> None:
    """Refuse to acknowledge what too few replicas have.

    Args:
        url: Says how many must have it.
        reached: The answer to WAIT.

    Raises:
        StoreUnavailable: Too few have it. It may be kept nevertheless: the caller may send it again with the same ids.
    """
    if not isinstance(reached, int) or reached < url.wait_replicas:
        raise StoreUnavailable(url.shown, f"{reached} of {url.wait_replicas} replicas have taken the write")


def refused(answer: hiredis.ReplyError) -> StoreRefused:
    """Make the error of a server's refusal."""
    text = str(answer)
    return StoreRefused(text.partition(" ")[0], text)


def is_wrong_server(url: StoreUrl, refusal: StoreRefused) -> bool:
    """Whether the next connection may find the right server, or find this one ready or with room for it."""
    if refusal.code == "READONLY":
        return url.mode is not Mode.SINGLE
    return refusal.code in _WRONG_SERVER or refusal.reason.startswith(_NO_ROOM)


def error_code(error: Exception) -> str:
    """Return the code of a server's error, such as `OOM`. redis-py takes those that it knows from the message."""
    code = getattr(error, "status_code", None)
    return code if isinstance(code, str) else str(error).partition(" ")[0]


def refused_by(error: Exception) -> StoreRefused:
    """Make the error of a server's refusal from redis-py's exception."""
    code, text = error_code(error), str(error)
    return StoreRefused(code, text if text.startswith(code) else f"{code} {text}")


def reason_of_break(error: OSError, timeout_s: float) -> str:
    """Say why a connection broke.

    Args:
        error: What the socket raised.
        timeout_s: How long the server had to answer, in seconds.
    """
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error) or type(error).__name__)
