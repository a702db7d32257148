"""What all connections of a server share: the tokens that count, the sessions they opened, and who was refused how
often.

A server opens its gate when it starts; sessions ask it. Invariants: a request with a token causes no round trip to the
store, unless the token is not known, which causes a few a second for all clients together; a session ends soon after
its token is revoked; nobody can guess tokens quickly, fill the store with nonces, or fill the log with refusals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from hero_config.model.settings import RpcSettings
from hero_job.client.cancellation import end_task
from hero_job.model.errors import StoreError
from hero_job.operations.credentials import Credentials
from hero_supervisor.rpc.auth.scopes import (
    ATTEMPT_EVERY_S,
    FREE_ATTEMPTS,
    FREE_NONCES,
    NONCE_EVERY_S,
    Attempts,
    Holder,
    Tokens,
)
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.rpc.auth.session import RpcSession

#: The tokens of the store are read so often; a revoked one loses its effect within this time and one round trip.
REFRESH_S: Final = 2.0
#: They are also read for a token that is not known, because it may be new; this long after the last such read at least.
READ_AGAIN_S: Final = 0.2

log = logging.getLogger(__name__)


class Gate:
    """What all connections of a server share.

    Args:
        settings: Tokens and keys.
        supervisor: Whose store has further tokens.
        open_to_all: Everybody who connects is an administrator without authenticating.
    """

    def __init__(self, settings: RpcSettings, supervisor: AsyncSupervisor, *, open_to_all: bool) -> None:
        self.settings = settings
        self.open_to_all = open_to_all
        self.tokens = Tokens(settings.tokens)
        self.credentials = Credentials(supervisor.operations.keys.namespace)
        self.store = supervisor.store
        self._sessions: WeakSet[RpcSession] = WeakSet()
        self._wrong = Attempts(FREE_ATTEMPTS, ATTEMPT_EVERY_S)
        self._refused = Attempts(FREE_ATTEMPTS, ATTEMPT_EVERY_S)
        self._nonces = Attempts(FREE_NONCES, NONCE_EVERY_S)
        self._reading: asyncio.Task[None] | None = None
        self._reading_again: asyncio.Task[bool] | None = None
        self._read_again_at = 0.0
        self._unread = False
        self._damaged: tuple[str, ...] = ()

    async def open(self) -> None:
        """Read the tokens of the store, now and every `REFRESH_S`."""
        self._unread = not await self._read()
        self._reading = asyncio.create_task(self._keep_reading(), name="rpc-tokens")

    async def close(self) -> None:
        """Stop reading."""
        for task in (self._reading, self._reading_again):
            if task is not None:
                await end_task(task)
        self._reading = self._reading_again = None

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            before, self._unread = self._unread, not await self._read()
            if before and not self._unread:
                log.info("rpc.tokens_read")
            elif self._unread and not before:
                log.warning("rpc.tokens_unread")

    async def _read_again(self) -> bool:
        await asyncio.sleep(self._read_again_at - time.monotonic())
        try:
            return await self._read()
        finally:
            self._read_again_at = time.monotonic() + READ_AGAIN_S
            self._reading_again = None

    async def _read(self) -> bool:
        """Read the tokens and end the sessions whose token is gone; return whether the store could be read.

        While the store is unreachable the known tokens stay valid: they permit nothing that works without the store,
        and nobody can revoke one.
        """
        try:
            found = await self.store.run(self.credentials.tokens())
        except StoreError:
            self._check_sessions()
            return False
        damaged = tuple(record.name for record in found.damaged)
        if damaged != self._damaged:
            log.warning("rpc.tokens_damaged", extra={"names": damaged})
            self._damaged = damaged
        self.tokens.replace_stored(found.tokens)
        self._check_sessions()
        return True

    def _check_sessions(self) -> None:
        for session in tuple(self._sessions):
            session.check()

    def watch(self, session: RpcSession) -> None:
        """End a session when its token is revoked or expires."""
        self._sessions.add(session)

    async def look_up(self, token: str, peer: str) -> Holder:
        """Find the holder of a token. A good token counts no matter how often others at its address were wrong.

        A token that is not known may have been made a moment ago, so the store is asked; all who wait share one read. A
        peer that was wrong too often causes none, nor does anybody while the store is unreachable.

        Raises:
            RpcError: The token is not known.
        """
        holder = self.tokens.holder(token, time.time())
        if holder is None and not self._unread and self._wrong.blocked_s(peer, time.monotonic()) == 0:
            if self._reading_again is None:
                self._reading_again = asyncio.create_task(self._read_again(), name="rpc-tokens-again")
            await asyncio.shield(self._reading_again)
            holder = self.tokens.holder(token, time.time())
        if holder is None:
            raise self.wrong(peer, "this token is not known")
        return holder

    def wrong(self, peer: str, text: str) -> RpcError:
        """Count a wrong token or signature, and build the error.

        A peer that was wrong too often is told to wait and leaves no further line in the log.
        """
        now = time.monotonic()
        blocked_s = self._wrong.blocked_s(peer, now)
        if blocked_s > 0:
            return _too_many("too many wrong tokens or signatures from this address", blocked_s)
        self._wrong.count(peer, now)
        log.warning("rpc.token_refused", extra={"peer": peer, "why": text})
        return unauthenticated(text)

    def count_nonce(self, peer: str) -> None:
        """Count a nonce that is given out.

        Raises:
            RpcError: The peer has asked for too many.
        """
        now = time.monotonic()
        blocked_s = self._nonces.blocked_s(peer, now)
        if blocked_s > 0:
            raise _too_many("too many nonces were given to this address", blocked_s)
        self._nonces.count(peer, now)

    def log_refusal(self, session: RpcSession, what: str, **facts: str) -> None:
        """Log that a connection may not do something, unless its peer has had too many such lines already."""
        now = time.monotonic()
        if self._refused.blocked_s(session.peer, now) == 0:
            self._refused.count(session.peer, now)
            extra = {"peer": session.peer, "holder": session.name, "scope": session.scope.name.lower(), "what": what}
            log.warning("rpc.refused", extra={**extra, **facts})


def unauthenticated(text: str, kind: str = "unauthenticated") -> RpcError:
    """Build the error for a client that has not authenticated."""
    hint = (
        'send the header "Authorization: Bearer TOKEN"; or, over a WebSocket or the Unix socket, '
        "send authenticate(token) first, or fetch_nonce(pubkey) and then authenticate(pubkey, signature)"
    )
    return RpcError(ErrorCode.UNAUTHENTICATED, text, kind=kind, hint=hint)


def _too_many(text: str, blocked_s: float) -> RpcError:
    hint = f"wait {blocked_s:.0f} s, then try again"
    return RpcError(ErrorCode.TOO_MANY_ATTEMPTS, text, kind="too_many_attempts", hint=hint, retry_s=round(blocked_s, 1))
