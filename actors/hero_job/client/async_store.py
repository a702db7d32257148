"""The asyncio runner of operations, on the client of redis-py.

Used by the supervisor and by asyncio programs. All waits for replies share one connection, which follows the event
stream: a thousand waiters cost one blocked command, not a thousand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import redis.asyncio as redis_asyncio
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hero_job.client.backoff import Backoff
from hero_job.client.connection import ANSWER_TIMEOUT_S
from hero_job.client.store import GLANCE_S
from hero_job.client.url import Mode, StoreUrl, parse_url
from hero_job.model.errors import HeroJobError, StoreRefused, StoreUnavailable, WaitTimeout
from hero_job.model.status import JobStatus
from hero_job.model.views import BatchStatus, Reply
from hero_job.operations.batches import Flow
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, T

if TYPE_CHECKING:
    from hero_job.client.streams import StreamFollower

_log = logging.getLogger(__name__)

_FOLLOW_BLOCK_MS = 5000
_OPEN = frozenset(s.value for s in JobStatus if not s.terminal)


class AsyncStore:
    """Runs operations on the running event loop.

    Args:
        url: Where the server is; see `url.py`.
        max_connections: Most connections for operations; more callers wait their turn.
        connect_timeout_s: In seconds.

    Raises:
        StoreUrlInvalid: The URL cannot be used. Nothing connects before the first operation.
    """

    def __init__(self, url: str, *, max_connections: int = 8, connect_timeout_s: float = 5.0) -> None:
        self.url = parse_url(url)
        # Untyped in redis-py: it returns whatever the server's answer parses to.
        self._client: Any
        self._client, self._sentinels = _client(self.url, connect_timeout_s)
        # Answers as the server gives them, as on the synchronous runner: operations read them by themselves. What
        # redis-py asks of its own accord, about a cluster, it must go on reading.
        for command in [c for c in self._client.response_callbacks if not c.startswith(("CLUSTER", "COMMAND"))]:
            del self._client.response_callbacks[command]
        # Bounds the connections: each is in use by one operation, or by a follower, which does not ask here.
        self._turn = asyncio.Semaphore(max_connections)
        self._followers: dict[str, _Follower] = {}
        self._streams: StreamFollower | None = None

    async def run(self, op: Op[T]) -> T:
        """Run one operation; nothing is sent twice.

        Raises:
            StoreUnavailable: No connection, or it broke and the outcome is unknown.
            StoreRefused: The server answered with an error.
            HeroJobError: The operation's own errors.
        """
        return op.decode(await self._send(op))

    async def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run many operations, at once as far as there are connections; gives for each its result or its error.

        Raises:
            StoreUnavailable: The connection broke; which of them the server did is unknown.
        """
        results = await asyncio.gather(*(self.run(op) for op in ops), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and (
                isinstance(result, StoreUnavailable) or not isinstance(result, HeroJobError)
            ):
                raise result
        return results

    async def drive(self, flow: Flow[T]) -> T:
        """Run a procedure of several round trips to its end."""
        results: list[Any] | None = None
        try:
            while True:
                results = await self.run_many(next(flow) if results is None else flow.send(results))
        except StopIteration as end:
            return cast("T", end.value)

    async def run_aside(self, op: Op[T]) -> T:
        """Run one operation that blocks for long, beside those that take turns on the bounded connections.

        Raises:
            StoreUnavailable: No connection, or it broke and the outcome is unknown.
            StoreRefused: The server answered with an error.
        """
        return op.decode(await self._send(op, contextlib.nullcontext()))

    @property
    def streams(self) -> StreamFollower:
        """Follows streams, all of them on one connection."""
        if self._streams is None:
            from hero_job.client.streams import StreamFollower

            self._streams = StreamFollower(self)
        return self._streams

    async def _send(self, op: Op[T], turn: contextlib.AbstractAsyncContextManager[Any] | None = None) -> Any:
        try:
            async with turn or self._turn, asyncio.timeout(ANSWER_TIMEOUT_S + op.block_s):
                return await self._execute(op)
        except TimeoutError as e:
            raise StoreUnavailable(self.url.shown, f"no answer within {ANSWER_TIMEOUT_S + op.block_s:g} s") from e
        except (RedisConnectionError, RedisTimeoutError, OSError) as e:
            raise StoreUnavailable(self.url.shown, str(e)) from e
        except RuntimeError as e:
            # uvloop's word for a connection that closed between two steps of redis-py.
            if "closed" not in str(e):
                raise
            raise StoreUnavailable(self.url.shown, str(e)) from e
        except RedisError as e:
            refused = StoreRefused(_code(e), str(e))
            error = op.translate(refused)
            raise error from e

    async def _execute(self, op: Op[T]) -> Any:
        script = op.script
        if script is None:
            return await self._client.execute_command(*op.args)
        try:
            return await self._client.execute_command("EVALSHA", script.sha, op.key_count, *op.args)
        except ResponseError as e:
            if not str(e).startswith("NOSCRIPT") and "No matching script" not in str(e):
                raise
            return await self._client.execute_command("EVAL", script.source, op.key_count, *op.args)

    async def wait_reply(self, operations: Operations, job_id: str, wait_s: float) -> Reply:
        """Wait until a job has ended.

        Args:
            operations: Of the job's namespace.
            job_id: The job.
            wait_s: Longest wait, in seconds.

        Raises:
            WaitTimeout: It has not ended by then.
            JobNotFound: There is no such job.
            StoreUnavailable: The server is away, and was so for the rest of the wait.
        """
        return await self._wait(operations, job_id, operations.outcome(job_id), wait_s)

    async def wait_batch(self, operations: Operations, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended.

        Args:
            operations: Of the batch's namespace.
            batch_id: The batch.
            wait_s: Longest wait, in seconds.

        Raises:
            WaitTimeout: Not all have ended by then.
            JobNotFound: There is no such batch.
            StoreUnavailable: The server is away, and was so for the rest of the wait.
        """
        return await self._wait(operations, f"batch:{batch_id}", operations.ended_batch(batch_id), wait_s)

    async def _wait(self, operations: Operations, awaited: str, look: Op[T | None], wait_s: float) -> T:
        """Look each time that the event stream tells of the awaited, until there is something to see."""
        deadline_mono = time.monotonic() + wait_s
        follower = self._follow(operations)
        with follower.watch(awaited) as moved:
            # The stream must be followed before the first look, or an event between the two is missed. When the server
            # is away the look itself says so.
            await _set_within(follower.following, min(GLANCE_S, wait_s))
            backoff = Backoff()
            while True:
                moved.clear()
                try:
                    found = await self.run(look)
                    backoff.reset()
                except StoreUnavailable as e:
                    await asyncio.sleep(backoff.next_wait_before(deadline_mono, e))
                    continue
                if found is not None:
                    return found
                left_s = deadline_mono - time.monotonic()
                if left_s <= 0:
                    raise WaitTimeout(awaited, wait_s)
                # The glance serves actors of another make, which write the hash and send no event.
                await _set_within(moved, min(GLANCE_S, left_s))

    def _follow(self, operations: Operations) -> _Follower:
        key = operations.keys.events
        follower = self._followers.get(key)
        if follower is None or follower.task.done():
            follower = self._followers[key] = _Follower(self._client, key)
        return follower

    async def aclose(self) -> None:
        """Stop following events and close all connections."""
        for follower in self._followers.values():
            await end_task(follower.task)
        self._followers.clear()
        if self._streams is not None:
            await self._streams.aclose()
        await self._client.aclose()
        for client in self._sentinels:
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()


class _Follower:
    """Reads the event stream on one connection and wakes whoever waits for a job.

    Invariant: `following` is set only while every later event will be read.
    """

    def __init__(self, client: Any, key: str) -> None:
        self._client = client
        self._key = key
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self.following = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"follow {key}")

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Any:
        """Give an event that is set when the job ends."""
        ended = asyncio.Event()
        waiting = self._waiting.setdefault(job_id, [])
        waiting.append(ended)
        try:
            yield ended
        finally:
            waiting.remove(ended)
            if not waiting:
                self._waiting.pop(job_id, None)

    async def _run(self) -> None:
        last: str | None = None
        pause_s = 0.05
        while True:
            try:
                async with asyncio.timeout(_FOLLOW_BLOCK_MS / 1000 + ANSWER_TIMEOUT_S):
                    if last is None:
                        newest = await self._client.execute_command("XREVRANGE", self._key, "+", "-", "COUNT", 1)
                        last = newest[0][0] if newest else "0-0"
                    self.following.set()
                    answer = await self._client.execute_command(
                        "XREAD", "BLOCK", _FOLLOW_BLOCK_MS, "COUNT", 1000, "STREAMS", self._key, last
                    )
                pause_s = 0.05
                for _, entries in _streams(answer):
                    for entry_id, fields in entries:
                        last = entry_id
                        for moved, status in _moves(fields):
                            # A job that begins or waits changes nothing for who waits for its end.
                            if status not in _OPEN:
                                self._wake(moved)
            except (RedisError, OSError, RuntimeError) as e:
                if self.following.is_set():
                    _log.warning("events_interrupted", extra={"stream": self._key, "error": str(e)})
                self.following.clear()
                # A server that lost its data starts its ids anew only if its clock went back; reading on from `last`
                # is right in every other case, and the waiters' glance covers that one.
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)

    def _wake(self, job_id: str) -> None:
        for ended in self._waiting.get(job_id, ()):
            ended.set()


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task that talks to a store, and wait until it has ended.

    Again and again: redis-py sends by `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes
    together with its result. Source: https://github.com/python/cpython/issues/86296
    """
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=0.1)


async def _set_within(event: asyncio.Event, wait_s: float) -> None:
    """Wait until the event is set or the time is up.

    Not by `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes together with the event.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await event.wait()


def _client(url: StoreUrl, connect_timeout_s: float) -> tuple[Any, Sequence[Any]]:
    """Make the client of redis-py that finds the server as the URL says, and those of the sentinels that it asks."""
    common: dict[str, Any] = {
        # Ours, around each command: with one of its own redis-py sends by asyncio.wait_for (see end_task).
        "socket_timeout": None,
        "socket_connect_timeout": connect_timeout_s,
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
        "username": url.username,
        "password": url.password,
    }
    # By default redis-py re-sends after a broken connection, whether the command may be repeated or not.
    never = Retry(NoBackoff(), 0)
    if url.tls:
        common |= {"ssl": True} | {k: v for k, v in url.options.items() if k.startswith("ssl_")}
        common["ssl_check_hostname"] = url.options.get("ssl_check_hostname", "true").lower() not in ("false", "0", "no")
        if url.options.get("ssl_cert_reqs") == "none":
            common["ssl_check_hostname"] = False
    if url.mode is Mode.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in url.hosts]
        return RedisCluster(startup_nodes=nodes, retry=never, **common), ()
    if url.mode is Mode.SENTINEL:
        asked: dict[str, Any] = {"socket_connect_timeout": connect_timeout_s, "socket_timeout": ANSWER_TIMEOUT_S}
        for name in ("username", "password"):
            if f"sentinel_{name}" in url.options:
                asked[name] = url.options[f"sentinel_{name}"]
        make: Any = Sentinel
        sentinel = make(list(url.hosts), sentinel_kwargs=asked, db=url.db, retry=never, **common)
        return sentinel.master_for(url.service), sentinel.sentinels
    if url.path is not None:
        return redis_asyncio.Redis(unix_socket_path=url.path, db=url.db, retry=never, **common), ()
    host, port = url.hosts[0]
    return redis_asyncio.Redis(host=host, port=port, db=url.db, retry=never, **common), ()


def _streams(answer: Any) -> list[tuple[str, list[Any]]]:
    if not answer:
        return []
    return list(answer.items()) if isinstance(answer, dict) else list(answer)


def _moves(fields: Any) -> Iterable[tuple[str, str]]:
    """Read an entry of the event stream, whose fields are id and new status."""
    return fields.items() if isinstance(fields, dict) else zip(fields[::2], fields[1::2], strict=True)


def _code(error: RedisError) -> str:
    # redis-py strips the code of those errors that it has classes for.
    name = type(error).__name__
    known = {"OutOfMemoryError": "OOM", "ReadOnlyError": "READONLY", "NoPermissionError": "NOPERM",
             "AuthenticationError": "NOAUTH", "BusyLoadingError": "LOADING"}  # fmt: skip
    return known.get(name) or str(error).partition(" ")[0]
