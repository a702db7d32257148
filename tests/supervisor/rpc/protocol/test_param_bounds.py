"""Parameters that hold too much are refused before anything looks at them in detail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.param_bounds import MAX_MEMBERS, MAX_VALUES, check_params
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

HOSTILE: dict[str, Any] = {
    "surplus positional parameters": [1] * 1_000_000,
    "surplus named parameters": {f"p{n}": 1 for n in range(200_000)},
    "a long list": {"value": [1] * (MAX_VALUES + 1)},
    "many lists": {"value": [[1] * 100_000 for _ in range(6)]},
    "many empty lists": {"value": [[[]] for _ in range(MAX_VALUES)]},
    "a wide object": {"value": {f"k{n}": n for n in range(MAX_MEMBERS + 1)}},
    "many objects": {"value": [{"a": 1} for _ in range(MAX_VALUES)]},
}


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    async def takes_one(value: Any = None) -> str:
        return type(value).__name__

    dispatcher = Dispatcher()
    dispatcher.register("takes_one", takes_one)
    yield dispatcher


@pytest.mark.parametrize("params", HOSTILE.values(), ids=HOSTILE.keys())
def test_parameters_that_hold_too_much_get_one_short_error(dispatcher: Dispatcher, params: Any) -> None:
    message = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "takes_one", "params": params})

    answer = asyncio.run(dispatcher.answer(message))

    assert answer is not None
    error = orjson.loads(answer)["error"]
    assert (error["code"], error["data"]["kind"]) == (ErrorCode.INVALID_PARAMS, "too_many_params")
    assert len(answer) < 1000


def test_they_are_refused_before_the_right_to_call_is_looked_at(dispatcher: Dispatcher) -> None:
    def admit(request: Any) -> None:
        raise AssertionError("the walk over the parameters for rights has no bound of its own")

    message = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "takes_one", "params": [1] * 100})

    assert b"too_many_params" in (asyncio.run(dispatcher.answer(message, admit)) or b"")


def test_a_batch_of_the_largest_size_passes() -> None:
    fields = {f"field_{n}": n for n in range(30)} | {"env_vars": {"A": "1"}}

    check_params({"jobs": [fields] * 10_000})


def test_the_walk_stops_at_the_first_bound() -> None:
    class Untouchable(dict[str, int]):
        def values(self) -> Any:
            raise AssertionError("values of an object that is too wide were looked at")

    with pytest.raises(RpcError):
        check_params([Untouchable((f"k{n}", n) for n in range(MAX_MEMBERS + 1))])
