"""Parameters that hold too much are refused before anything looks at them in detail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.param_bounds import MAX_MEMBERS, check_params
from hero_supervisor.rpc.protocol.wire import MAX_MARKS, ErrorCode

HOSTILE: dict[str, tuple[Any, str]] = {
    "surplus positional parameters": ([1] * 100, "too_many_params"),
    "a wide object": ({"value": {f"k{n}": n for n in range(MAX_MEMBERS + 1)}}, "too_many_params"),
    "surplus named parameters": ({f"p{n}": 1 for n in range(MAX_MEMBERS + 1)}, "too_many_params"),
    "a million positional parameters": ([1] * 1_000_000, "too_many_values"),
    "a long list": ({"value": [1] * (MAX_MARKS + 1)}, "too_many_values"),
    "many lists": ({"value": [[1] * 100_000 for _ in range(6)]}, "too_many_values"),
    "many empty lists": ({"value": [[[]] for _ in range(MAX_MARKS)]}, "too_many_values"),
    "many objects": ({"value": [{"a": 1} for _ in range(MAX_MARKS)]}, "too_many_values"),
}
CODES = {"too_many_params": ErrorCode.INVALID_PARAMS, "too_many_values": ErrorCode.INVALID_REQUEST}


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    async def takes_one(value: Any = None) -> str:
        return type(value).__name__

    dispatcher = Dispatcher()
    dispatcher.register("takes_one", takes_one)
    yield dispatcher


@pytest.mark.parametrize(("params", "kind"), HOSTILE.values(), ids=HOSTILE.keys())
def test_parameters_that_hold_too_much_get_one_short_error(dispatcher: Dispatcher, params: Any, kind: str) -> None:
    message = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "takes_one", "params": params})

    answer = asyncio.run(dispatcher.answer(message))

    assert answer is not None
    error = orjson.loads(answer)["error"]
    assert (error["code"], error["data"]["kind"]) == (CODES[kind], kind)
    assert len(answer) < 1000


def test_they_are_refused_before_the_right_to_call_is_looked_at(dispatcher: Dispatcher) -> None:
    def admit(request: Any) -> None:
        raise AssertionError("the walk over the parameters for rights has no bound of its own")

    message = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "takes_one", "params": [1] * 100})

    assert b"too_many_params" in (asyncio.run(dispatcher.answer(message, admit)) or b"")


def test_a_batch_of_the_largest_size_passes() -> None:
    fields = {f"field_{n}": n for n in range(30)} | {"env_vars": {"A": "1"}}

    check_params({"jobs": [fields] * 10_000})
