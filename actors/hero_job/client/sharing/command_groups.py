"""Sends the commands that the coroutines of one turn of the event loop ask for as one pipeline, for an `AsyncStore`.

A hundred clients of the RPC ask simultaneously for something small each. A system call and a connection of the pool for
each of them cost more than the commands themselves. So all share one connection, which does not count among those of
the store. Invariants: the commands of one caller stay together and in their order; none is sent twice; a caller that
gives up before its commands are sent has them dropped; and what may be long goes alone, so nobody waits behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from hero_job.client.cancellation import end_task
from hero_job.client.commands import pack
from hero_job.client.redis_py import AskError
from hero_job.client.sharing.command_line import Asked, CommandLine
from hero_job.model.errors import StoreUnavailable
from hero_job.protocol import lua
from hero_job.protocol.op import Op

#: Plain commands on one job. Others may take the server long, or have long answers.
_SHORT_COMMANDS: Final = frozenset({"HGET", "HMGET", "HGETALL", "LLEN", "LRANGE", "PTTL"})
_SHORT_SCRIPTS: Final = frozenset({lua.CREATE, lua.START})
#: Operations of one caller that still count as short.
MOST_OPS: Final = 8
#: A caller's commands that are longer go alone, so that they hold up no others.
_LONG_BYTES: Final = 64 * 1024

WithinTurn = Callable[[Callable[[], Awaitable[Any]], float], Awaitable[Any]]
"""Runs something when one of the bounded connections is free, within so many seconds more than an answer may take."""


class CommandGroups:
    """Gathers commands, sends them, and hands out their answers. Belongs to one event loop.

    Args:
        client: The client of redis-py whose pool gives the connections. Untyped, as redis-py's own answers are.
        within_turn: Waits for a connection, and translates what breaks it.
        shown: The store's URL as errors show it.
        replicas: How many replicas must have a write; then scripts that write wait for them and go alone.
    """

    def __init__(self, client: Any, within_turn: WithinTurn, shown: str, replicas: int) -> None:
        self._client = client
        self._within_turn = within_turn
        self._shown = shown
        self._alone = lua.REPLICATED if replicas else frozenset[lua.LuaScript]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Asked] = []  # asked for in this turn, or since the connection is being opened
        self._line: CommandLine | None = None
        self._opening: asyncio.Task[None] | None = None
        self._releasing: set[asyncio.Task[None]] = set()

    def pack(self, ops: Sequence[Op[Any]]) -> bytes | None:
        """Encode operations that may go with those of others.

        Returns:
            The encoded commands; None if they must go alone.
        """
        if len(ops) > MOST_OPS:
            return None
        parts = []
        command: tuple[Any, ...]
        for op in ops:
            script = op.script
            if script is None:
                if op.args[0] not in _SHORT_COMMANDS:
                    return None
                command = tuple(op.args)
            elif script in _SHORT_SCRIPTS and script not in self._alone:
                command = ("EVALSHA", script.sha, op.key_count, *op.args)
            else:
                return None
            parts.append(pack(command))
        packed = b"".join(parts)
        return packed if len(packed) <= _LONG_BYTES else None

    def ask(self, packed: bytes, count: int) -> asyncio.Future[list[Any]]:
        """Send commands together with those that others ask for in this turn of the loop.

        Args:
            packed: What `pack` returned.
            count: How many commands that are.

        Returns:
            To be awaited: the answers; an error of the server is a `ResponseError` object. It raises `StoreUnavailable`
            if there is no connection, or it broke and the outcome is unknown, and `RedisError` if the server refuses
            the connection.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        answers: asyncio.Future[list[Any]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send_all)
        self._waiting.append(Asked(packed, count, answers, loop.time()))
        return answers

    def leave(self) -> None:
        """Have the next commands go to a new connection, perhaps to another server."""
        line, self._line = self._line, None
        if line is not None:
            line.leave()

    async def aclose(self) -> None:
        """Fail what is under way."""
        if self._opening is not None:
            await end_task(self._opening)
        self._fail(self._take_waiting(), self._closed())
        if self._line is not None:
            self._line.end(self._closed().reason)
        while self._releasing:
            await asyncio.wait(tuple(self._releasing))

    def _send_all(self) -> None:
        line = self._line
        if line is not None and line.usable:
            group = self._take_waiting()
            if group:
                line.send(group)
        elif self._opening is None and self._waiting:
            self._opening = asyncio.ensure_future(self._open())
            self._opening.add_done_callback(self._opened)

    def _take_waiting(self) -> list[Asked]:
        """Take those who wait to be sent, without those that have given up."""
        waiting, self._waiting = self._waiting, []
        return [asked for asked in waiting if not asked.answers.done()]

    async def _open(self) -> None:
        connection = await self._within_turn(self._client.connection_pool.get_connection, 0)
        self._line = CommandLine(connection, self._line_ended)

    def _opened(self, opening: asyncio.Task[None]) -> None:
        # Not in the coroutine: one that is cancelled before its first step does nothing.
        self._opening = None
        error = self._closed() if opening.cancelled() else opening.exception()
        if error is None:
            self._send_all()
        else:
            self._fail(self._take_waiting(), error)

    def _line_ended(self, line: CommandLine, reason: str, waiting: Sequence[Asked]) -> None:
        if self._line is line:
            self._line = None
        self._fail(waiting, StoreUnavailable(self._shown, reason))
        releasing = asyncio.ensure_future(self._release(line.connection))
        self._releasing.add(releasing)
        releasing.add_done_callback(self._releasing.discard)

    async def _release(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
        await self._client.connection_pool.release(connection)

    def _closed(self) -> StoreUnavailable:
        return StoreUnavailable(self._shown, "the connections were closed before an answer came")

    def _fail(self, group: Sequence[Asked], error: BaseException) -> None:
        for asked in group:
            if not asked.answers.done():
                # Each caller gets its own: raising an exception changes it.
                own = StoreUnavailable(self._shown, error.reason) if isinstance(error, StoreUnavailable) else error
                asked.answers.set_exception(own)


def is_missing_script(error: Exception) -> bool:
    """Whether the server does not know the script."""
    return str(error).startswith("NOSCRIPT") or "No matching script" in str(error)


def was_not_run(error: Exception) -> bool:
    """Whether the server does not know the script or has no slot for it, so that the operation may be sent again."""
    return is_missing_script(error) or isinstance(error, AskError)
