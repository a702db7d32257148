"""The Lua scripts, one a transition, loaded as data. All writes of a job's status are in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
_PRELUDE = (_FOLDER / "prelude.lua").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class LuaScript:
    """One script: its source with the prelude before it, and the digest by which the server knows it.

    Attributes:
        name: File name without its ending.
        source: What EVAL sends.
        sha: SHA-1 of the source in hex, what EVALSHA sends.
    """

    name: str
    source: str
    sha: str


def _load(name: str) -> LuaScript:
    source = _PRELUDE + (_FOLDER / f"{name}.lua").read_text("utf-8")
    # SHA-1 is the server's name for a script, no protection: Source: redis.io/commands/evalsha
    return LuaScript(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


CREATE = _load("create")
START = _load("start")
DELETE = _load("delete")
TURN = _load("turn")
RELEASE = _load("release")
PRESENCE = _load("presence")
RECOVER = _load("recover")
EXPIRED = _load("expired")
ACTORS = _load("actors")
PAGE = _load("page")

ALL = (CREATE, START, DELETE, TURN, RELEASE, PRESENCE, RECOVER, EXPIRED, ACTORS, PAGE)
