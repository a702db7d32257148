"""The synchronous store: runs operations, each on a connection that no other thread uses at that time.

Lanes (one store each, so one connection each), programs that submit jobs, and `heroctl` use it. Invariant: it sends
nothing twice.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, cast
from weakref import WeakSet

from hero_job.client.backoff import Backoff
from hero_job.client.connection import StoreConnection
from hero_job.client.primary.watch import MayStay, PrimaryWatch
from hero_job.client.primary.watches import leave_watch, watch_primary
from hero_job.client.url import Address, Mode, parse_url
from hero_job.model.errors import StoreRefused, StoreUnavailable, WaitTimeout
from hero_job.model.views import BatchStatus, Reply
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, T
from hero_job.protocol.replies import decode_reply, has_result

#: How often a waiter looks at the job's hash, in seconds: third-party actors may write there and send no reply.
GLANCE_S = 2.0
#: How often a caller that may have to give up is asked whether it must, in seconds, while the server is away.
_CHECK_S = 0.02
#: A connection that was idle for longer than this, in seconds, is checked before use: the server may have closed it.
_IDLE_S = 1.0


class Begun(Generic[T]):
    """Operations between their commands and their answers.

    Args:
        connection: Sends the commands.
        give_back: Takes the connection when all answers were read, or it broke.
    """

    __slots__ = ("_connection", "_give_back", "_ops")

    def __init__(self, connection: StoreConnection, give_back: Callable[[StoreConnection], None]) -> None:
        self._connection = connection
        self._give_back = give_back
        self._ops: deque[Op[T]] = deque()

    def send(self, op: Op[T]) -> None:
        """Send one more operation.

        Raises:
            StoreUnavailable: The connection broke, so the outcome of this operation and of those before is unknown.
        """
        try:
            self._connection.send(op)
        except BaseException:
            self._end()
            raise
        self._ops.append(op)

    def finish(self) -> T:
        """Read the answer to the first operation whose answer was not read.

        An error is no answer: the server may have run the operations behind it.

        Returns:
            The result of the operation.

        Raises:
            StoreUnavailable: The connection broke, or the server answered with an error. The outcome is unknown, also
                of all operations behind this one.
        """
        op = self._ops.popleft()
        try:
            result = op.decode(self._connection.receive())
        except BaseException:
            self._end()
            raise
        if not self._ops:
            self._end()
        return result

    def _end(self) -> None:
        self._ops.clear()
        self._give_back(self._connection)


class Store:
    """Runs operations on one server. Connects with the first operation; threads may share it.

    Args:
        url: Where the server is; see `url.py`.
        name: Name of its connections in CLIENT LIST.
        connect_timeout_s: Longest time to connect, in seconds.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
    """

    def __init__(self, url: str, *, name: str = "hero", connect_timeout_s: float = 5.0) -> None:
        self.url = parse_url(url)
        self._name = name
        self._connect_timeout_s = connect_timeout_s
        self._idle: list[tuple[float, StoreConnection]] = []
        self._blocked: set[tuple[Address | None, int]] = set()
        # The node that had the namespace's slot last, if the server is a cluster.
        self._address: Address | None = None
        self._lock = threading.Lock()
        self._closed = False
        # Only for sentinels and a cluster: who is the primary, and every connection, also one that is being opened.
        self._watch: PrimaryWatch | None = None
        self._connections: WeakSet[StoreConnection] = WeakSet()

    def run(self, op: Op[T], check: Callable[[], None] | None = None) -> T:
        """Run one operation.

        It is never repeated: only the caller knows whether a second try is harmless after `StoreUnavailable`.

        Args:
            op: The operation.
            check: For one that blocks and changes nothing: raises when the caller no longer waits for the answer.

        Returns:
            Its result.

        Raises:
            StoreUnavailable: There is no connection, or it broke and the outcome is unknown.
            StoreRefused: The server answered with an error.
            HeroJobError: One of the operation's own errors.
        """
        connection = self._take()
        try:
            if op.block_s:
                return self._run_blocking(connection, op, check)
            return connection.run(op)
        finally:
            self._give_back(connection)

    def begin(self, op: Op[T]) -> Begun[T] | None:
        """Send an operation whose answer is read later, if that needs no new connection.

        Args:
            op: The operation. It does not block.

        Returns:
            What reads the answer, and sends more; None if nothing was sent.

        Raises:
            StoreUnavailable: The connection broke and the outcome is unknown.
        """
        if self.url.wait_replicas:
            return None  # these operations are two commands
        with self._lock:
            if not self._idle or not self._idle[-1][1].open or self._idle[-1][1].aborted:
                return None
            _, connection = self._idle.pop()
        begun: Begun[T] = Begun(connection, self._give_back)
        begun.send(op)
        return begun

    def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run many operations in one round trip.

        Args:
            ops: The operations.

        Returns:
            For each operation its result, or the `HeroJobError` that it ended in.

        Raises:
            StoreUnavailable: The connection broke; which operations the server ran is unknown.
        """
        if not ops:
            return []
        connection = self._take()
        try:
            return connection.run_many(ops)
        finally:
            self._give_back(connection)

    def drive(self, flow: Flow[T]) -> T:
        """Run a procedure of several round trips.

        Args:
            flow: The procedure; see `operations/flow.py`.

        Returns:
            Its result.

        Raises:
            HeroJobError: One of the procedure's own errors, or one of the store's.
        """
        results: list[Any] | None = None
        try:
            while True:
                results = self.run_many(next(flow) if results is None else flow.send(results))
        except StopIteration as end:
            return cast("T", end.value)

    def wait_reply(
        self, operations: Operations, job_id: str, wait_s: float, check: Callable[[], None] | None = None
    ) -> Reply:
        """Wait until a job has ended.

        Args:
            operations: Of the job's namespace.
            job_id: The job.
            wait_s: Longest wait, in seconds.
            check: Raises when the caller no longer waits.

        Returns:
            How it ended.

        Raises:
            WaitTimeout: The job has not ended in time.
            JobNotFound: There is no such job.
            StoreUnavailable: The server could not be reached, until the end of the wait.
        """
        outcome = operations.outcome(job_id)

        def read(text: str) -> Reply:
            told = None if has_result(text) else self.run(outcome)
            return told or decode_reply(job_id, text)

        return self._wait(
            job_id, lambda block_s: operations.peek_reply(job_id, block_s), read, outcome, wait_s, check=check
        )

    def wait_batch(self, operations: Operations, batch_id: str, wait_s: float) -> BatchStatus:
        """Wait until all jobs of a batch have ended.

        Args:
            operations: Of the batch's namespace.
            batch_id: The batch.
            wait_s: Longest wait, in seconds.

        Returns:
            How many jobs ended how.

        Raises:
            WaitTimeout: Some jobs have not ended in time.
            JobNotFound: There is no such batch.
            StoreUnavailable: The server could not be reached, until the end of the wait.
        """
        ended = operations.ended_batch(batch_id)
        return self._wait(
            batch_id, lambda s: operations.peek_batch(batch_id, s), lambda _: self.run(ended), ended, wait_s
        )

    def _wait(
        self,
        awaited: str,
        peek: Callable[[float], Op[str | None]],
        read: Callable[[str], T | None],
        look: Op[T | None],
        wait_s: float,
        *,
        check: Callable[[], None] | None = None,
    ) -> T:
        """Wait for an entry of a list; look at the hash only when none comes.

        Args:
            awaited: Names the job or batch in the error.
            peek: Blocks on the list for so many seconds.
            read: Makes the result of an entry.
            look: Reads the result from the hash; None if there is none yet.
            wait_s: Longest wait, in seconds.
            check: Raises when the caller no longer waits.
        """
        deadline_mono = time.monotonic() + wait_s
        backoff = Backoff()
        may_block = True
        while True:
            left_s = deadline_mono - time.monotonic()
            try:
                text = self.run(peek(max(0.001, min(GLANCE_S, left_s))), check) if may_block else None
                found = self.run(look) if text is None else read(text)
            except StoreUnavailable as e:
                # A look changes nothing, so it can be repeated: the wait survives a restart of the server.
                _sleep(backoff.next_wait_before(deadline_mono, e), check)
                continue
            except StoreRefused as e:
                # To block on the list counts as a write. A server that takes none for now still answers a look.
                if not (may_block and e.passing):
                    raise
                may_block = False
                continue
            if found is not None:
                return found
            if may_block:
                backoff.reset()
                if left_s <= GLANCE_S:
                    raise WaitTimeout(awaited, wait_s)
            else:
                _sleep(backoff.next_wait_before(deadline_mono, WaitTimeout(awaited, wait_s)), check)
                may_block = True

    def unblock(self) -> None:
        """End the blocking operations of other threads on this store, as if their time were up.

        Raises:
            StoreUnavailable: The server cannot be reached.
        """
        with self._lock:
            blocked = list(self._blocked)
        for address, client_id in blocked:
            connection = self._connect(address)
            try:
                connection.call("CLIENT", "UNBLOCK", client_id)
            finally:
                connection.close()

    def close(self) -> None:
        """Close all idle connections, and each connection in use when its operation ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            watch, self._watch = self._watch, None
        if watch is not None:
            leave_watch(watch, self._leave_others)
        for _, connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _run_blocking(self, connection: StoreConnection, op: Op[T], check: Callable[[], None] | None) -> T:
        blocked = (connection.address, connection.client_id)
        with self._lock:
            self._blocked.add(blocked)
        try:
            return connection.run(op, check)
        finally:
            with self._lock:
                self._blocked.discard(blocked)

    def _take(self) -> StoreConnection:
        while True:
            with self._lock:
                if not self._idle:
                    break
                since_mono, connection = self._idle.pop()
            fresh = time.monotonic() - since_mono < _IDLE_S or not connection.is_stale()
            if fresh and not connection.aborted:
                return connection
            connection.close()
        return self._connect(self._address)

    def _connect(self, address: Address | None) -> StoreConnection:
        opening = None
        if self.url.mode is not Mode.SINGLE:
            address = self._watched().primary(self._connect_timeout_s, address)
            opening = self._note
        return StoreConnection(
            self.url, name=self._name, connect_timeout_s=self._connect_timeout_s, address=address, opening=opening
        )

    def _note(self, connection: StoreConnection) -> None:
        with self._lock:
            self._connections.add(connection)

    def _watched(self) -> PrimaryWatch:
        with self._lock:
            if self._watch is None:
                self._watch = watch_primary(self.url, self._leave_others)
            return self._watch

    def _leave_others(self, may_stay: MayStay) -> None:
        """End all connections to another server than the primary. A thread of the watch calls this."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            if connection.open and not connection.aborted and not may_stay(connection.address):
                connection.abort()

    def _give_back(self, connection: StoreConnection) -> None:
        with self._lock:
            if not self._closed and connection.open:
                self._idle.append((time.monotonic(), connection))
                self._address = connection.address
                return
        connection.close()


def _sleep(wait_s: float, check: Callable[[], None] | None) -> None:
    until_mono = time.monotonic() + wait_s
    while check is not None and time.monotonic() + _CHECK_S < until_mono:
        check()
        time.sleep(_CHECK_S)
    time.sleep(max(0.0, until_mono - time.monotonic()))
