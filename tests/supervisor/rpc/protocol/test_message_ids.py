"""The ids in a message that is not parsed, and pushes to a client that goes."""

from __future__ import annotations

import asyncio

import pytest

from hero_supervisor.rpc.protocol import push, wire
from hero_supervisor.rpc.protocol.message_ids import HEAD_BYTES, TAIL_BYTES, ids_in
from hero_supervisor.rpc.protocol.push import PushChannel


@pytest.mark.parametrize(
    ("head", "is_batch", "ids"),
    [
        (b'{"id":7}', False, [7]),
        (b'  \n{"id" : "a b" , "x":1', False, ["a b"]),
        (b'{"id":-1.5,', False, [-1.5]),
        (b'{"id":null,', False, [None]),
        (b'{"id":true,', False, []),
        (b'{"id":[1],', False, []),
        (b'{"id":7', False, []),  # the number may go on
        (b'{"id":01,', False, []),
        (b'{"params":{"id":5},"id":7,', False, [7]),
        (b'{"params":[{"id":5}],"id":7,', False, [7]),
        (b'{"script":"\\"id\\":5,","id":7,', False, [7]),
        (b'{"a":"{","id":7,', False, [7]),
        (b'{"a":"cut off, \\"id\\":5,', False, []),
        (b'{"id":7,"id":8,', False, [7]),
        (b"{}", False, []),
        (b"", False, []),
        (b'[{"id":1},{"id":"b"},{"x":{"id":5}},{"id":3', True, [1, "b"]),
        (b' [ {"id":1}', True, [1]),
        (b'[{"id":1},[{"id":2}],{"id":4}]', True, [1, 4]),
        (b"[]", True, []),
        (b'{"id":"' + b"x" * 254 + b'",', False, ["x" * 254]),
        (b'{"id":"' + b"x" * 255 + b'",', False, []),
    ],
)
def test_the_ids_of_the_outermost_requests_are_found(head: bytes, is_batch: bool, ids: list[object]) -> None:
    assert ids_in(head) == (is_batch, ids)


def test_only_a_bounded_part_of_the_beginning_is_searched() -> None:
    text = b'{"a":"%s","id":7}'
    room = HEAD_BYTES - len(text % b"")
    assert ids_in(text % (b"x" * room)) == (False, [7])
    assert ids_in(text % (b"x" * (room + 1))) == (False, [])


@pytest.mark.parametrize(
    ("tail", "ids"),
    [
        (b',"id":7}', [7]),
        (b'x", "id" : "a" , "jsonrpc":"2.0" } \n', ["a"]),
        (b',"id":7,"params":[]}', []),
        (b'"id":7', []),
        (b'\\",\\"id\\":7}', []),
    ],
)
def test_an_id_after_the_parameters_is_found_at_the_end(tail: bytes, ids: list[object]) -> None:
    assert ids_in(b'{"params":["', tail) == (False, ids)
    assert ids_in(b'[{"params":["', tail) == (True, []), "the end of a batch says nothing of its first request"
    assert ids_in(b'{"id":1,"params":["', tail) == (False, [1]), "the one at the beginning counts"


def test_only_a_bounded_part_of_the_end_is_searched() -> None:
    member = b',"id":7'
    room = TAIL_BYTES - len(member) - len(b',"a":""}')
    assert ids_in(b"{", member + b',"a":"' + b"x" * room + b'"}') == (False, [7])
    assert ids_in(b"{", member + b',"a":"' + b"x" * (room + 1) + b'"}') == (False, [])


class Noted:
    """A push that notes what happens to it."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def close(self) -> None:
        self.seen.append("closed")

    async def end(self, error: wire.RpcError) -> None:
        self.seen.append(error)


async def send(message: bytes) -> None:
    """Nobody is there."""


def test_a_channel_ends_and_closes_everything_that_sends_to_it() -> None:
    async def main() -> None:
        channel = PushChannel("unix", send, context_id="x")
        assert (channel.transport, channel.context_id, channel.closed, channel.queued_bytes) == ("unix", "x", False, 0)
        one, two = Noted(), Noted()
        channel.pushes.update(a=one, b=two)
        error = wire.shutting_down()
        await channel.finish(error)
        assert one.seen == two.seen == [error]
        channel.close()
        channel.close()
        assert channel.closed
        assert one.seen == two.seen == [error, "closed"]
        assert channel.pushes == {}

    asyncio.run(main())


def test_what_is_to_follow_an_answer_is_called_once_and_after_it() -> None:
    async def main() -> None:
        assert push.current() is None
        seen: list[str] = []
        exchange = push.enter(PushChannel("unix", send))
        assert push.current() is exchange
        exchange.after_answer(lambda: seen.append("a"))
        exchange.after_answer(lambda: seen.append("b"))
        assert seen == []
        exchange.answered()
        exchange.answered()
        assert seen == ["a", "b"]
        assert await asyncio.create_task(other()) is exchange, "a task that it starts works for the same message"

    async def other() -> object:
        return push.current()

    asyncio.run(main())
