"""One round trip to the store, as data. No I/O: `store.py` runs it synchronously, `aio.py` on asyncio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hero_job.model.errors import HeroJobError, JobDamaged, StoreRefused
from hero_job.protocol.lua import LuaScript

T = TypeVar("T")
Arg = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """One round trip, as data.

    Attributes:
        args: A whole command; or, with a script, its keys and arguments.
        decode: Makes the result of the server's answer; raises the operation's own errors.
        script: The Lua script to run, None for a plain command.
        key_count: How many of the first `args` are keys of the script.
        job_id: Names the job in the error when the server says WRONGTYPE.
        block_s: How long the server may hold the answer back, in seconds.
    """

    args: Sequence[Arg]
    decode: Callable[[Any], T]
    script: LuaScript | None = None
    key_count: int = 0
    job_id: str | None = None
    block_s: float = 0

    def translate(self, error: StoreRefused) -> HeroJobError:
        """Say what a server's error means for this operation."""
        if error.code == "WRONGTYPE" and self.job_id is not None:
            return JobDamaged(self.job_id, "", "it is not a hash")
        return error


def as_is(answer: Any) -> Any:
    """Decode nothing."""
    return answer


def pairs(answer: Any) -> dict[str, str]:
    """Read a flat list of names and values, or what a client has made a dict of already."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
