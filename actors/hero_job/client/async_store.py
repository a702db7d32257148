"""The asyncio runner of operations, on the client of redis-py.

The supervisor and asyncio programs call it. Invariants: it sends nothing twice; operations use at most
`max_connections` connections; short ones share one more (`sharing/command_groups.py`); and all waits for replies share
another, which follows the stream of job events (`waiting/`), so a thousand waiters cost one blocked command.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, NoReturn, Self, cast

from hero_job.client.answers import REPLICAS_WAIT_MS, check_replicas, error_code, refused_by
from hero_job.client.connection import ANSWER_TIMEOUT_S, MOST_MOVES
from hero_job.client.primary.async_primary import AsyncPrimary
from hero_job.client.redis_client import make_client
from hero_job.client.redis_py import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    InvalidResponse,
    MovedError,
    RedisConnectionError,
    RedisError,
    RedisTimeoutError,
    ResponseError,
    TryAgainError,
)
from hero_job.client.sharing.command_groups import CommandGroups, is_missing_script, was_not_run
from hero_job.client.sharing.waking_read import WakingRead
from hero_job.client.streams import StreamFollower
from hero_job.client.url import Mode, parse_url
from hero_job.client.waiting.waits import Waits
from hero_job.model.errors import HeroJobError, StoreRefused, StoreUnavailable
from hero_job.model.views import BatchStatus, Reply
from hero_job.operations.flow import FEW, Flow, chunks
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.op import Op, T

# Answers of a node that cannot serve the slot now. `StoreConnection` takes the same codes.
_WRONG_NODE: Final = (ClusterDownError, TryAgainError)


class AsyncStore:
    """Runs operations on one server, from one event loop. Connects with the first operation.

    Args:
        url: Where the server is; see `url.py`.
        max_connections: Most connections for operations; further callers wait for one.
        connect_timeout_s: Longest time to connect, in seconds.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
    """

    def __init__(self, url: str, *, max_connections: int = 8, connect_timeout_s: float = 5.0) -> None:
        self.url = parse_url(url)
        self._primary = AsyncPrimary(self.url, connect_timeout_s) if self.url.mode is not Mode.SINGLE else None
        find = self._primary.find if self._primary is not None else None
        self._client = make_client(self.url, connect_timeout_s, find)
        if self._primary is not None:
            self._primary.pool = self._client.connection_pool
        # A follower of streams has a connection of its own and does not take a turn.
        self._turn = asyncio.Semaphore(max_connections)
        self._groups = CommandGroups(self._client, self._within_turn, self.url.shown, self.url.wait_replicas)
        self._reads: list[WakingRead] = []
        #: Follows streams for programs that subscribe to them, all on one connection.
        self.streams = StreamFollower(self)
        self._waits = Waits(self, self._groups)

    async def run(self, op: Op[T]) -> T:
        """Run one operation. It is never repeated; see `Store.run`.

        Args:
            op: The operation.

        Returns:
            Its result.

        Raises:
            StoreUnavailable: There is no connection, or it broke and the outcome is unknown.
            StoreRefused: The server answered with an error.
            HeroJobError: One of the operation's own errors.
        """
        packed = self._groups.pack((op,))
        if packed is not None:
            (answer,) = await self._on_connection(self._groups.ask(packed, 1))
            if not isinstance(answer, Exception):
                return op.decode(answer)
            if not was_not_run(answer):
                await self._raise_refusal(op, answer)
        return op.decode(await self._send(op))

    async def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run many operations in their order, in few round trips.

        Args:
            ops: The operations.

        Returns:
            For each operation its result, or the `HeroJobError` that it ended in.

        Raises:
            StoreUnavailable: The connection broke; which operations the server ran is unknown.
            StoreRefused: The server refuses the password, the database or the name.
        """
        results: list[Any] = []
        if not ops:
            await asyncio.sleep(0)
            return results
        answers: list[Any] = []
        packed = self._groups.pack(ops)
        if packed is not None:
            answers = await self._on_connection(self._groups.ask(packed, len(ops)))
        else:
            for few in chunks(ops, FEW):  # encoding many commands holds the event loop
                ask = partial(self._execute_many, few)
                answers += await self._on_connection(self._within_turn(ask, max(op.block_s for op in few)))
        for op, answer in zip(ops, answers, strict=True):
            try:
                if not isinstance(answer, Exception):
                    results.append(op.decode(answer))
                elif was_not_run(answer):
                    # Nor did that server run the operations behind it, so this keeps the order.
                    results.append(await self.run(op))
                else:
                    await self._raise_refusal(op, answer)
            except StoreUnavailable:
                raise
            except HeroJobError as e:
                results.append(e)
        return results

    async def drive(self, flow: Flow[T]) -> T:
        """Run a procedure of several round trips; see `Store.drive`."""
        results: list[Any] | None = None
        try:
            while True:
                results = await self.run_many(next(flow) if results is None else flow.send(results))
        except StopIteration as end:
            return cast("T", end.value)

    def new_read(self) -> WakingRead:
        """Make a connection for reads that block; it does not count towards `max_connections`."""
        self._reads.append(WakingRead(self._client))
        return self._reads[-1]

    async def run_aside(self, read: WakingRead, op: Op[T]) -> T:
        """Run one plain command that blocks for long, on a connection for such reads.

        Args:
            read: The connection, made by `new_read`.
            op: The operation.

        Returns:
            Its result.

        Raises:
            StoreUnavailable: There is no connection, or it broke and the outcome is unknown.
            StoreRefused: The server answered with an error.
        """
        return op.decode(await self._send(op, partial(read.ask, op), contextlib.nullcontext()))

    async def wake(self, read: WakingRead) -> bool:
        """Have the read that is under way return without an answer; see `WakingRead.wake`.

        Raises:
            StoreUnavailable: There is no connection.
            StoreRefused: The server refuses this.
        """
        return bool(await self._send(Op((), bool), read.wake))

    async def _send(
        self,
        op: Op[T],
        ask: Callable[[], Awaitable[Any]] | None = None,
        turn: contextlib.AbstractAsyncContextManager[Any] | None = None,
    ) -> Any:
        ask = ask or partial(self._execute, op)
        try:
            return await self._within_turn(
                ask if self._primary is None else partial(self._find, op, ask), op.block_s, turn
            )
        except RedisError as e:
            await self._raise_refusal(op, e)

    async def _on_connection(self, asking: Awaitable[list[Any]]) -> list[Any]:
        try:
            return await asking
        except AuthenticationError as e:
            raise refused_by(e) from e
        except RedisConnectionError as e:
            raise StoreUnavailable(self.url.shown, str(e)) from e
        except RedisError as e:
            # Not the answer to an operation: the server refuses the connection.
            raise refused_by(e) from e

    async def _raise_refusal(self, op: Op[Any], error: Exception) -> NoReturn:
        await self._leave_replica(error)
        if isinstance(error, _WRONG_NODE):
            # It is not, or not yet, the right node. The caller's next try may find that one.
            raise StoreUnavailable(self.url.shown, str(error)) from error
        if error_code(error) == "OOM":
            raise op.translate(await self._explained(error)) from error
        raise op.translate(refused_by(error)) from error

    async def _find(self, op: Op[Any], ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask the node that has the slot. One that does not have it has done nothing."""
        assert self._primary is not None
        for _ in range(MOST_MOVES):
            try:
                return await ask()
            except MovedError as e:
                await self._primary.move(e)
            except AskError as e:
                script = op.script
                command = op.args if script is None else ("EVAL", script.source, op.key_count, *op.args)
                return await self._primary.ask_aside(e, *command)
        return await ask()

    async def _explained(self, error: Exception) -> StoreRefused:
        """Ask whether it is the memory or the disk that is full."""
        refused = refused_by(error)
        return refused.explained(str(await self._client.execute_command("INFO", "memory")))

    async def _leave_replica(self, error: Exception) -> None:
        if isinstance(error, RedisError) and error_code(error) == "READONLY":
            # See StoreConnection: the next operation connects again, perhaps to the new master.
            for read in self._reads:
                read.leave()
            self._groups.leave()
            await self._client.connection_pool.disconnect(inuse_connections=False)

    async def _within_turn(
        self,
        ask: Callable[[], Awaitable[Any]],
        block_s: float,
        turn: contextlib.AbstractAsyncContextManager[Any] | None = None,
    ) -> Any:
        try:
            # The wait for a connection counts, too: while the server hangs, forty callers wait no longer than one.
            async with asyncio.timeout(ANSWER_TIMEOUT_S + block_s), turn or self._turn:
                return await ask()
        except TimeoutError as e:
            raise StoreUnavailable(self.url.shown, f"no answer within {ANSWER_TIMEOUT_S + block_s:g} s") from e
        except AuthenticationError as e:
            raise refused_by(e) from e
        except InvalidResponse as e:
            raise StoreUnavailable(self.url.shown, f"not the Redis protocol: {e}") from e
        except (RedisConnectionError, RedisTimeoutError, OSError) as e:
            raise StoreUnavailable(self.url.shown, str(e)) from e
        except RuntimeError as e:
            # uvloop raises this when a connection closes between two steps of redis-py.
            if "closed" not in str(e):
                raise
            raise StoreUnavailable(self.url.shown, str(e)) from e

    async def _execute_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for op in ops:
            script = op.script
            head = () if script is None else ("EVALSHA", script.sha, op.key_count)
            pipeline.execute_command(*head, *op.args)
        replicas = self.url.wait_replicas if any(op.script in lua.REPLICATED for op in ops) else 0
        if replicas:
            pipeline.execute_command("WAIT", replicas, REPLICAS_WAIT_MS)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        if replicas:
            reached = answers.pop()
            if not all(isinstance(answer, AskError) for answer in answers):
                check_replicas(self.url, reached)
        return answers

    async def _execute(self, op: Op[T]) -> Any:
        script = op.script
        if script is None:
            return await self._client.execute_command(*op.args)
        if self.url.wait_replicas and script in lua.REPLICATED:
            return await self._execute_replicated(op, script)
        try:
            return await self._client.execute_command("EVALSHA", script.sha, op.key_count, *op.args)
        except ResponseError as e:
            if not is_missing_script(e):
                raise
            return await self._client.execute_command("EVAL", script.source, op.key_count, *op.args)

    async def _execute_replicated(self, op: Op[T], script: lua.LuaScript) -> Any:
        """Run a script, and wait until the replicas have what it wrote."""
        (answer,) = await self._execute_many([op])
        if isinstance(answer, Exception) and is_missing_script(answer):
            # WAIT counts the writes of its own connection, so both go into one pipeline.
            pipeline = self._client.pipeline(transaction=False)
            pipeline.execute_command("EVAL", script.source, op.key_count, *op.args)
            pipeline.execute_command("WAIT", self.url.wait_replicas, REPLICAS_WAIT_MS)
            answer, reached = await pipeline.execute(raise_on_error=False)
            check_replicas(self.url, reached)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run_job(self, operations: Operations, submit: Op[str], job_id: str, wait_s: float) -> Reply:
        """Submit a job and wait until it has ended; see `Waits.run_job`."""
        return await self._waits.run_job(operations, submit, job_id, wait_s)

    async def wait_reply(self, operations: Operations, job_id: str, wait_s: float) -> Reply:
        """Wait until a job has ended; see `Store.wait_reply`."""
        return await self._waits.reply(operations, job_id, wait_s)

    async def wait_batch(self, operations: Operations, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended; see `Store.wait_batch`."""
        return await self._waits.batch(operations, batch_id, wait_s)

    async def aclose(self) -> None:
        """Stop following streams and close all connections."""
        await self._waits.aclose()
        await self.streams.aclose()
        for read in self._reads:
            await read.aclose()
        await self._groups.aclose()
        if self._primary is not None:
            self._primary.close()
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()
