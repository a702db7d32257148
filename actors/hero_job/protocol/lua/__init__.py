"""The Lua scripts, one a transition, loaded as data. All writes of a job's status are in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class LuaScript:
    """One script: its source with the shared parts before it, and the digest by which the server knows it.

    Attributes:
        name: File name without its ending.
        source: What EVAL sends.
        sha: SHA-1 of the source in hex, what EVALSHA sends.
    """

    name: str
    source: str
    sha: str


def _load(name: str, *parts: str) -> LuaScript:
    shared = "".join((_FOLDER / "parts" / f"{part}.lua").read_text("utf-8") for part in parts)
    source = shared + (_FOLDER / f"{name}.lua").read_text("utf-8")
    # SHA-1 is the server's name for a script, no protection: Source: redis.io/commands/evalsha
    return LuaScript(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


_ENDING = ("time", "queue", "limits", "ending")

CREATE = _load("create", *_ENDING)
START = _load("start", *_ENDING)
TURN = _load("turn", *_ENDING)
RELEASE = _load("release", *_ENDING)
RECOVER = _load("recover", *_ENDING)
STOP = _load("stop", *_ENDING)
PROMOTE = _load("promote", *_ENDING)
RETRY = _load("retry", *_ENDING)
DELETE = _load("delete", *_ENDING)
PRESENCE = _load("presence", "time")
PURGE = _load("purge", *_ENDING)
PAUSE = _load("pause", "time")
RESUME = _load("resume")
LOG = _load("log")
TICKS = _load("ticks", "time")
TICK = _load("tick")
EXPIRED = _load("expired")
ACTORS = _load("actors")
PAGE = _load("page")

ALL = (
    CREATE, START, TURN, RELEASE, RECOVER, STOP, PROMOTE, RETRY, DELETE,
    PRESENCE, PURGE, PAUSE, RESUME, LOG, TICKS, TICK, EXPIRED, ACTORS, PAGE,
)  # fmt: skip
