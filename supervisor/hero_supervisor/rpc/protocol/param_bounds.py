"""Bounds what the parameters of one request may hold, before anything looks at them in detail. Pure.

The dispatcher calls it first. Validation collects a complaint per wrong value, and a message of 10 MiB can hold five
million of them: without these bounds one request would occupy the event loop for half a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

#: Values in all lists and objects of one request. A batch of 10,000 jobs with every field has 300,000.
MAX_VALUES: Final = 500_000
#: Parameters without names; more than any method has.
MAX_POSITIONAL: Final = 64
#: Members of one object. The largest useful one holds the environment variables of a job.
MAX_MEMBERS: Final = 1_000
_CONTAINERS: Final = frozenset({list, dict})


def check_params(params: Mapping[str, Any] | Sequence[Any]) -> None:
    """Refuse parameters that hold too much. It looks at each list and object once and stops at the first bound.

    Args:
        params: Parsed JSON.

    Raises:
        RpcError: A bound is exceeded.
    """
    if isinstance(params, list) and len(params) > MAX_POSITIONAL:
        raise _refused(f"{len(params)} parameters; no method takes more than {MAX_POSITIONAL} without names")
    total = 0
    containers: list[Any] = [params]
    while containers:
        container = containers.pop()
        total += len(container)
        if total > MAX_VALUES:
            raise _refused(f"more than {MAX_VALUES} values in one request")
        values = container
        if type(container) is dict:
            if len(container) > MAX_MEMBERS:
                raise _refused(f"an object with {len(container)} members; {MAX_MEMBERS} are allowed")
            values = container.values()
        containers += [value for value in values if value and type(value) in _CONTAINERS]


def _refused(text: str) -> RpcError:
    hint = "send less in one request; a batch may have 10,000 jobs"
    return RpcError(ErrorCode.INVALID_PARAMS, f"Invalid params: {text}", kind="too_many_params", hint=hint)
