"""One connection of an `AsyncStore` for reads that block for long, which can be woken before their time is up.

A follower of streams has one. Invariants: the connection stays the same while the server answers, however often its
reads are woken; after any error or cancellation it is closed, since an answer may still be under way, and the next read
opens another one.

Source: CLIENT UNBLOCK, which ends a blocked command as if its time were up, and leaves its connection open.
"""

from __future__ import annotations

from typing import Any

from hero_job.client.commands import pack
from hero_job.client.redis_py import RedisConnectionError
from hero_job.protocol.op import Op


class WakingRead:
    """A connection for blocking reads.

    Args:
        client: The client of redis-py whose pool gives the connection. Untyped, as redis-py's own answers are.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._connection: Any = None
        # The server's id of the connection; 0 while no read is under way.
        self._client_id = 0
        self._reading = False
        self._left = False

    async def ask(self, op: Op[Any]) -> Any:
        """Send one plain command, and wait for its answer.

        Args:
            op: The operation, which has no script.

        Returns:
            The answer.

        Raises:
            RedisError: What the server answers, or the connection broke.
            OSError: There is no connection.
        """
        if self._left:
            self._left = False
            await self.aclose()
            raise RedisConnectionError("the server has become a replica")
        if self._connection is None:
            await self._connect()
        self._reading = True
        try:
            await self._connection.send_packed_command(pack(tuple(op.args)))
            return await self._connection.read_response()
        except BaseException:  # also when the slot has moved: the next read connects to where it is
            await self.aclose()
            raise
        finally:
            self._reading = False

    async def wake(self) -> bool:
        """Have the read that is under way return without an answer.

        Returns:
            False when the server does not wait for this read now: it has not arrived, or is answered already.

        Raises:
            RedisError: The server refuses this.
            OSError: There is no connection.
        """
        if not self._reading or not self._client_id:
            return False
        return bool(await self._client.execute_command("CLIENT UNBLOCK", self._client_id))

    def leave(self) -> None:
        """Have the next read fail and close the connection, so that the one after it looks for the server again."""
        self._left = self._connection is not None

    async def aclose(self) -> None:
        """Close the connection; does nothing when there is none."""
        connection, self._connection, self._client_id = self._connection, None, 0
        if connection is None:
            return
        await connection.disconnect(nowait=True)
        await self._client.connection_pool.release(connection)

    async def _connect(self) -> None:
        self._connection = await self._client.connection_pool.get_connection()
        try:
            await self._connection.connect()
            await self._connection.send_command("CLIENT", "ID")
            self._client_id = int(await self._connection.read_response())
        except BaseException:
            await self.aclose()
            raise
