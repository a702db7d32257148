"""The methods that the tests of the dispatcher call, and how they ask for them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from pydantic import Field

from hero_supervisor.rpc.protocol.dispatch import Dispatcher


class Calls:
    """The methods of the specification's examples, and some that misbehave."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def subtract(self, minuend: int, subtrahend: int) -> int:
        return minuend - subtrahend

    async def update(self, *values: int) -> None:
        self.seen.append(("update", values))

    async def foobar(self) -> None:
        self.seen.append("foobar")

    async def sum(self, *values: int) -> int:
        return sum(values)

    async def notify_hello(self, value: int) -> None:
        self.seen.append(("notify_hello", value))

    async def get_data(self) -> list[Any]:
        return ["hello", 5]

    async def typed(self, name: Annotated[str, Field(min_length=1)], count: Annotated[int, Field(ge=1)] = 1) -> str:
        return name * count

    async def broken(self) -> None:
        raise ZeroDivisionError("secret detail")

    async def unencodable(self) -> object:
        return object()

    async def wait(self) -> None:
        self.seen.append("waiting")
        await asyncio.get_running_loop().create_future()


def ask(runner: asyncio.Runner, dispatcher: Dispatcher, text: str) -> Any:
    answer = runner.run(dispatcher.answer(text.encode()))
    return None if answer is None else orjson.loads(answer)


def result(value: object, request_id: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


async def turns_of_the_loop() -> None:
    """Let all tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)
