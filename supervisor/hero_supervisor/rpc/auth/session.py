"""What one connection may do, asked about each of its requests.

Owned here: the identity of a connection and what follows from it. ``Session.admit`` sees a request before its method
and fills in what may be left out of a job; ``auth_supervisor`` holds the job itself to the session, however it came to
be; ``auth_methods`` changes who a session is. Invariant: a session never has more than its token, key or user has now.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from hero_config.model.settings import RpcSettings
from hero_job.client.cancellation import end_task
from hero_job.model.errors import StoreError
from hero_job.model.job import Job
from hero_job.model.spellings import CAMEL_CASE
from hero_job.operations.credentials import Credentials
from hero_supervisor.rpc.auth.scopes import (
    FREE_NONCES,
    NONCE_EVERY_S,
    Attempts,
    Holder,
    Scope,
    Tokens,
    needed_scope,
)
from hero_supervisor.rpc.methods.methods import ANONYMOUS
from hero_supervisor.rpc.protocol.wire import ErrorCode, Request, RpcError

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Tokens of the store are read so often: within this time, and that of a round trip, a new one counts and a revoked one
#: does no more. A request costs none.
REFRESH_S: Final = 2.0

# Methods that take the fields of a job as parameters of their own.
_FIELDS_BY_NAME: Final = frozenset({"create_job", "run_job"})
# What makes an object a job: a script, which the newer Rust supervisor calls payload.
_SCRIPT_NAMES: Final = frozenset({"script", "payload"})
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    name: (name, *(camel for camel, snake in CAMEL_CASE.items() if snake == name))
    for name in ("caller_id", "context_id")
}

log = logging.getLogger(__name__)


class Gate:
    """What all connections of a server share: the tokens, who is connected, and who was refused how often.

    Args:
        settings: Tokens and keys.
        supervisor: Whose store has more of them.
        open_to_all: Who connects is an administrator without saying who it is.
    """

    def __init__(self, settings: RpcSettings, supervisor: AsyncSupervisor, *, open_to_all: bool) -> None:
        self.settings = settings
        self.open_to_all = open_to_all
        self.tokens = Tokens(settings.tokens)
        self.credentials = Credentials(supervisor.operations.keys.namespace)
        self.store = supervisor.store
        self._sessions: WeakSet[Session] = WeakSet()
        self._wrong = Attempts()
        self._refused = Attempts()
        self._nonces = Attempts(FREE_NONCES, NONCE_EVERY_S)
        self._reading: asyncio.Task[None] | None = None
        self._damaged: tuple[str, ...] = ()

    async def open(self) -> None:
        """Read the tokens of the store, now and from now on."""
        known = await self._read()
        self._reading = asyncio.create_task(self._read_on(known), name="rpc-tokens")

    async def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            await end_task(self._reading)
            self._reading = None

    async def _read_on(self, known: bool) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            read = await self._read()
            if read != known:
                log.log(logging.INFO if read else logging.WARNING, "rpc.tokens_read" if read else "rpc.tokens_unread")
            known = read

    async def _read(self) -> bool:
        """Read the tokens and end the sessions of those that are gone. With the store away the known ones stay known:
        nothing that they let anybody do works without it, and nobody can revoke one.
        """
        try:
            found = await self.store.run(self.credentials.tokens())
        except StoreError:
            self._check_sessions()
            return False
        damaged = tuple(found.damaged)
        if damaged != self._damaged:
            log.warning("rpc.tokens_damaged", extra={"names": damaged})
            self._damaged = damaged
        self.tokens.replace_stored(found.tokens)
        self._check_sessions()
        return True

    def _check_sessions(self) -> None:
        for session in tuple(self._sessions):
            session.check()

    def know(self, session: Session) -> None:
        """Look after a session from now on."""
        self._sessions.add(session)

    def look_up(self, token: str, peer: str) -> Holder:
        """Find whose token this is.

        Raises:
            RpcError: Nobody's, or the peer has been wrong too often.
        """
        self.may_try(peer)
        holder = self.tokens.holder(token, time.time())
        if holder is None:
            raise self.wrong(peer, "this token is not known")
        return holder

    def may_try(self, peer: str) -> None:
        """Refuse who has been wrong too often.

        Raises:
            RpcError: It has.
        """
        blocked_s = self._wrong.blocked_s(peer, time.monotonic())
        if blocked_s > 0:
            raise _too_many("too many wrong tokens or signatures from this address", blocked_s)

    def wrong(self, peer: str, text: str) -> RpcError:
        """Note that somebody was wrong, and build the error."""
        self._wrong.count(peer, time.monotonic())
        log.warning("rpc.token_refused", extra={"peer": peer, "why": text})
        return unauthenticated(text)

    def count_nonce(self, peer: str) -> None:
        """Note that somebody is given a nonce.

        Raises:
            RpcError: It has asked for too many.
        """
        now = time.monotonic()
        blocked_s = self._nonces.blocked_s(peer, now)
        if blocked_s > 0:
            raise _too_many("too many nonces were given to this address", blocked_s)
        self._nonces.count(peer, now)

    def log_refusal(self, session: Session, what: str, **facts: str) -> None:
        """Write a line about what a connection may not do; not without end for one peer."""
        now = time.monotonic()
        if self._refused.blocked_s(session.peer, now) == 0:
            self._refused.count(session.peer, now)
            extra = {"peer": session.peer, "holder": session.name, "scope": session.scope.name.lower(), "what": what}
            log.warning("rpc.refused", extra={**extra, **facts})


class Session:
    """The identity of one connection.

    Args:
        gate: Of the server.
        peer: IP address of the client, or its user on this machine.
        context_id: The only context that its jobs may have; None for any.
        lasting: It outlives a request, so that a signature can be its identity.

    Attributes:
        name: Whom it speaks for; None when nobody has asked.
        by: How that is known: "token", "signature" or "peer"; None when it is not.
        facts: What else is known of the peer, for `whoami`.
        on_end: Called when what it has shown is worth nothing any more.
    """

    def __init__(self, gate: Gate, peer: str, context_id: str | None = None, *, lasting: bool = False) -> None:
        self.gate = gate
        self.peer = peer
        self.name: str | None = None
        self.by: str | None = None
        self.scope = Scope.ADMIN if gate.open_to_all else Scope.NONE
        self.lasting = lasting
        self.facts: Mapping[str, int] = {}
        self.on_end: Callable[[], object] | None = None
        self.nonce: tuple[str, str] | None = None  # the last that it was given, and for which key
        self._holder: Holder | None = None
        self._context_id = context_id

    def authenticate(self, token: str) -> None:
        """Become the holder of a token.

        Raises:
            RpcError: It is nobody's, or the peer has been wrong too often.
        """
        holder = self.gate.look_up(token, self.peer)
        self.become(holder.name, holder.scope, "token")
        self._holder = holder
        if self.lasting:
            self.gate.know(self)

    def become(self, name: str, scope: Scope, by: str) -> None:
        """Speak for somebody from now on."""
        self.name, self.scope, self.by = name, scope, by
        self._holder = None

    def check(self) -> None:
        """See whether its token still counts, and end it when not."""
        holder = self._holder
        if holder is None or self.gate.tokens.counts(holder, time.time()):
            return
        log.warning("rpc.session_ended", extra={"peer": self.peer, "holder": self.name})
        self._holder = self.name = self.by = None
        self.scope = Scope.NONE
        if self.on_end is not None:
            self.on_end()

    @property
    def owner(self) -> str | None:
        """Whose jobs these are, when its rights end at its own jobs."""
        return self.name if self.scope is Scope.USER else None

    @property
    def bindings(self) -> dict[str, str]:
        """The fields of a job that are not free, with what they must be."""
        # Who signs is the caller, whatever else it may do.
        caller = self.name if self.by == "signature" else self.owner
        fixed = {"context_id": self._context_id, "caller_id": caller}
        return {name: value for name, value in fixed.items() if value is not None}

    def admit(self, request: Request) -> None:
        """Refuse what is not allowed, and fill in what a bound connection may leave out.

        Raises:
            RpcError: The request may not be done.
        """
        if self._holder is not None and self._holder.expires_s is not None:
            self.check()
        needed = needed_scope(request.method)
        if self.scope < needed:
            if self.scope is Scope.NONE:
                raise self.unknown(request.method[:100])
            scope = needed.name.lower()
            text = f"this takes the scope '{scope}'; this {self.by} has '{self.scope.name.lower()}'"
            raise self.refused(request.method[:100], text, f"ask the operator for the scope '{scope}'")
        bindings = self.bindings
        if bindings and needed >= Scope.USER:
            for job in _jobs_in(request):
                self._bind(job, bindings)

    def bound(self, job: Job) -> dict[str, Any]:
        """Give what is to be changed of a job so that it is one of this connection.

        Raises:
            RpcError: It says that it is another's.
        """
        changes: dict[str, Any] = {}
        for name, value in self.bindings.items():
            given = getattr(job, name)
            if given != value:
                if given != ANONYMOUS[name]:
                    raise self._other(name)
                changes[name] = value
        return changes

    def refused(self, what: str, text: str, hint: str) -> RpcError:
        """Build the error for what this connection may not do, and log it."""
        self.gate.log_refusal(self, what)
        return RpcError(ErrorCode.FORBIDDEN, text, kind="forbidden", hint=hint)

    def unknown(self, what: str) -> RpcError:
        """Build the error for what takes somebody who is known, and log it."""
        self.gate.log_refusal(self, what)
        return unauthenticated("this takes a token or a signature")

    def _bind(self, job: dict[str, Any], bindings: Mapping[str, str]) -> None:
        for name, value in bindings.items():
            given = [job[spelling] for spelling in _SPELLINGS[name] if job.get(spelling) is not None]
            if any(other != value for other in given):
                raise self._other(name)
            if not given:
                job[name] = value

    def _other(self, name: str) -> RpcError:
        bound_to = "its path" if name == "context_id" else f"its {self.by}"
        text = f"the {name} of this connection's jobs is that of {bound_to}"
        return self.refused(name, text, f"leave {name} out, or connect for the other one")


_SESSION: ContextVar[Session] = ContextVar("session")


def enter(session: Session) -> None:
    """From here on this task, and those that it starts, work for this connection."""
    _SESSION.set(session)


def current() -> Session:
    """Find the session of the request that is being answered."""
    return _SESSION.get()


def unauthenticated(text: str, kind: str = "unauthenticated") -> RpcError:
    """Build the error for a client that has not said who it is."""
    hint = (
        'send the header "Authorization: Bearer TOKEN"; over a WebSocket or the Unix socket, or as first message '
        "authenticate(token), or fetch_nonce(pubkey) and then authenticate(pubkey, signature)"
    )
    return RpcError(ErrorCode.UNAUTHENTICATED, text, kind=kind, hint=hint)


def _too_many(text: str, blocked_s: float) -> RpcError:
    hint = f"wait {blocked_s:.0f} s"
    return RpcError(ErrorCode.TOO_MANY_ATTEMPTS, text, kind="too_many_attempts", hint=hint, retry_s=round(blocked_s, 1))


def _jobs_in(request: Request) -> Iterator[dict[str, Any]]:
    """Every object among the parameters that can be a job: one that has a script, however deep in lists and objects."""
    params = request.params
    if isinstance(params, dict) and request.method in _FIELDS_BY_NAME and isinstance(params.get("script"), str):
        yield params
        return
    # Not recursive: a client may nest deeper than Python does.
    unseen: list[Any] = list(params.values() if isinstance(params, dict) else params)
    while unseen:
        value = unseen.pop()
        if isinstance(value, list):
            unseen += value
        elif isinstance(value, dict):
            if _SCRIPT_NAMES.isdisjoint(value):
                unseen += value.values()
            else:
                yield value
