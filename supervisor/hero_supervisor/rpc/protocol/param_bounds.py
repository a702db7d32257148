"""Bounds what the parameters of one request may hold, before anything looks at them in detail. Pure.

The dispatcher calls it first. Validation collects a complaint per wrong value or name, so that one request with many of
them would occupy the event loop. How many values a whole message may hold is bounded before it is parsed (`wire`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

#: Parameters without names; more than any method has.
MAX_POSITIONAL: Final = 64
#: Members of one object. The largest useful one holds the environment variables of a job.
MAX_MEMBERS: Final = 1_000
_CONTAINERS: Final = frozenset({list, dict})


def check_params(params: Mapping[str, Any] | Sequence[Any]) -> None:
    """Refuse parameters that hold too much. It looks at each list and object once.

    Args:
        params: Parsed JSON.

    Raises:
        RpcError: A bound is exceeded.
    """
    if isinstance(params, list) and len(params) > MAX_POSITIONAL:
        raise _refused(f"{len(params)} parameters; no method takes more than {MAX_POSITIONAL} without names")
    # A level at a time, because a loop over each list and object takes five times as long; where there is one only,
    # which is most levels of most requests, that loop is the shorter way.
    level: list[Any] = [params]
    while level:
        if len(level) == 1:
            values: Iterable[Any] = level[0]
            if type(values) is dict:
                _check_members(len(values))
                values = values.values()
        else:
            objects = [container for container in level if type(container) is dict]
            for members in map(len, objects):
                _check_members(members)
            lists = [container for container in level if type(container) is list]
            values = chain(chain.from_iterable(lists), chain.from_iterable(map(dict.values, objects)))
        level = [value for value in values if type(value) in _CONTAINERS]


def _check_members(members: int) -> None:
    if members > MAX_MEMBERS:
        raise _refused(f"an object with {members} members; {MAX_MEMBERS} are allowed")


def _refused(text: str) -> RpcError:
    hint = "send less in one request; a batch may have 10,000 jobs"
    return RpcError(ErrorCode.INVALID_PARAMS, f"Invalid params: {text}", kind="too_many_params", hint=hint)
