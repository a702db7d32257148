"""Sends the commands that the coroutines of one turn of the event loop ask for as one pipeline, for an `AsyncStore`.

A hundred clients of the RPC ask simultaneously for something small each. A system call and a connection of the pool for
each of them cost more than the commands themselves. Invariants: the commands of one caller stay together and in their
order; none is sent twice; an answer goes to its caller as soon as it is there; a caller that gives up before its
commands are sent has them dropped; and what may be long goes alone, so nobody waits behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from hero_job.client.cancellation import end_task
from hero_job.client.commands import pack
from hero_job.client.redis_py import AskError, ResponseError
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
#: One group; the commands behind it go on another connection.
_GROUP_COMMANDS: Final = 128
_GROUP_BYTES: Final = 256 * 1024

WithinTurn = Callable[[Callable[[], Awaitable[Any]], float], Awaitable[Any]]
"""Runs something when one of the bounded connections is free, within so many seconds more than an answer may take."""


@dataclass(slots=True, eq=False)
class _Asked:
    """The commands of one caller."""

    packed: bytes
    count: int
    answers: asyncio.Future[list[Any]]


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
        self._waiting: list[_Asked] = []
        self._sending: set[asyncio.Future[None]] = set()

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

    async def ask(self, packed: bytes, count: int) -> list[Any]:
        """Send commands together with those that others ask for in this turn of the loop.

        Args:
            packed: What `pack` returned.
            count: How many commands that are.

        Returns:
            The answers; an error of the server is a `ResponseError` object.

        Raises:
            StoreUnavailable: There is no connection, or it broke and the outcome is unknown.
            RedisError: The server's answer cannot be read.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(packed, count, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._send_all)
        self._waiting.append(asked)
        return await asked.answers

    async def aclose(self) -> None:
        """Fail what is under way."""
        self._fail(self._waiting, self._closed())
        self._waiting.clear()
        for sending in tuple(self._sending):
            await end_task(sending)

    def _send_all(self) -> None:
        group: list[_Asked] = []
        commands = size_bytes = 0
        for asked in self._waiting:
            if group and (commands >= _GROUP_COMMANDS or size_bytes >= _GROUP_BYTES):
                self._send(group)
                group, commands, size_bytes = [], 0, 0
            group.append(asked)
            commands += asked.count
            size_bytes += len(asked.packed)
        self._waiting.clear()
        if group:
            self._send(group)

    def _send(self, group: list[_Asked]) -> None:
        exchange = self._within_turn(partial(self._exchange, group), 0)
        sending = asyncio.ensure_future(exchange)
        self._sending.add(sending)
        sending.add_done_callback(partial(self._end, group))

    def _end(self, group: Sequence[_Asked], sending: asyncio.Future[None]) -> None:
        # Not in the coroutine: one that is cancelled before its first step does nothing.
        self._sending.discard(sending)
        error = None if sending.cancelled() else sending.exception()
        self._fail(group, error if isinstance(error, Exception) else self._closed())

    async def _exchange(self, group: Sequence[_Asked]) -> None:
        wanted = [asked for asked in group if not asked.answers.done()]
        if not wanted:
            return
        pool = self._client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(b"".join(asked.packed for asked in wanted))
            for asked in wanted:
                answers: list[Any] = []
                for _ in range(asked.count):
                    try:
                        answers.append(await connection.read_response())
                    except ResponseError as e:
                        answers.append(e)
                if not asked.answers.done():
                    asked.answers.set_result(answers)
        except BaseException:
            # Answers may still be under way.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    def _closed(self) -> StoreUnavailable:
        return StoreUnavailable(self._shown, "the connections were closed before an answer came")

    def _fail(self, group: Sequence[_Asked], error: Exception) -> None:
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
