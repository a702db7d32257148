"""One round trip to the store, as data. Pure.

The operations build an `Op`; `store.py` runs it synchronously, `async_store.py` on asyncio. Invariant: running the same
`Op` with either gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from hero_job.model.errors import HeroJobError, JobDamaged, StoreRefused
from hero_job.protocol.lua import LuaScript

T = TypeVar("T")
Arg = str | bytes | int | float


class Op(NamedTuple, Generic[T]):
    """One round trip, as data. A tuple, because a frozen dataclass takes three times as long to make.

    Attributes:
        args: A whole command, or with a script its keys and arguments.
        decode: Turns the server's answer into the result; raises the operation's own errors.
        script: The Lua script to run; None for a plain command.
        key_count: How many of the first `args` are keys of the script.
        job_id: The job to name in the error if the server answers WRONGTYPE.
        block_s: How long the server may delay the answer, in seconds.
    """

    args: Sequence[Arg]
    decode: Callable[[Any], T]
    script: LuaScript | None = None
    key_count: int = 0
    job_id: str | None = None
    block_s: float = 0

    def translate(self, error: StoreRefused) -> HeroJobError:
        """Turn the server's error into the one that this operation raises."""
        if error.code == "WRONGTYPE" and self.job_id is not None:
            return JobDamaged(self.job_id, "", "it is not a hash")
        return error


def as_is(answer: Any) -> Any:
    """Return the answer unchanged."""
    return answer


def pairs(answer: Any) -> dict[str, str]:
    """Read a flat list of names and values, which some clients have turned into a dict already."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
