"""What one connection may do: its identity, and the checks that follow from it.

The dispatcher calls ``RpcSession.admit`` with each request before its method runs; the identity methods change who a
session speaks for; ``SessionSupervisor`` holds each job to the session, no matter which method creates it. Invariant: a
session never has more rights than its token, key or user has now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from hero_job.model.fields.spellings import CAMEL_CASE
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import Job
from hero_supervisor.rpc.auth.gate import Gate, unauthenticated
from hero_supervisor.rpc.auth.scopes import Holder, Scope, needed_scope
from hero_supervisor.rpc.methods.jobs import ANONYMOUS
from hero_supervisor.rpc.protocol.wire import ErrorCode, Request, RpcError

# Methods that take the fields of a job as parameters of their own.
_FIELDS_BY_NAME: Final = frozenset({"create_job", "run_job"})
# An object with one of these is a job; the newer Rust supervisor calls the script payload.
_SCRIPT_NAMES: Final = frozenset({"script", "payload"})
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    name: (name, *(camel for camel, snake in CAMEL_CASE.items() if snake == name))
    for name in ("caller_id", "context_id")
}

log = logging.getLogger(__name__)


class RpcSession:
    """The identity of one connection.

    Args:
        gate: Of the server.
        peer: IP address of the client, or its user on this host.
        context_id: The only context that its jobs may have; None for any.
        lasting: It outlives one request, so it can authenticate by a signature.

    Attributes:
        name: Whom it speaks for; None if it has not authenticated.
        by: How it has authenticated: "token", "signature" or "peer"; None if it has not.
        facts: What the kernel says about the peer, for `whoami`.
        on_end: Called when its token is revoked or has expired.
        nonce: The last one that it was given, and the key that it was given for.
        traceparent: The header of an HTTP request: its jobs belong to this trace if they name no other.
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
        self.nonce: tuple[str, str] | None = None
        self.traceparent: TraceContext | None = None
        self._holder: Holder | None = None
        self._context_id = context_id

    async def authenticate(self, token: str) -> None:
        """Become the holder of a token.

        Raises:
            RpcError: The token is not known, or the peer has been wrong too often.
        """
        self.hold(await self.gate.look_up(token, self.peer))
        if self.lasting:
            self.gate.watch(self)

    def hold(self, holder: Holder) -> None:
        """Speak for the holder of a token, as long as that counts."""
        self.become(holder.name, holder.scope, "token")
        self._holder = holder

    def for_one_request(self) -> RpcSession:
        """Make a session of the same peer that has not authenticated and ends with its request."""
        session = RpcSession(self.gate, self.peer, self._context_id)
        session.facts = self.facts
        return session

    def become(self, name: str, scope: Scope, by: str) -> None:
        """Speak for somebody from now on."""
        self.name, self.scope, self.by = name, scope, by
        self._holder = None

    def check(self) -> None:
        """End the session if its token no longer counts."""
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
        """The caller whose jobs it may change; None if it may change all."""
        return self.name if self.scope is Scope.USER else None

    @property
    def context_id(self) -> str | None:
        """The only context whose jobs it may create and follow; None for all."""
        return self._context_id

    @property
    def bindings(self) -> dict[str, str]:
        """The fields of its jobs that are fixed, with their values."""
        # A client that signs is the caller of its jobs, whatever its scope.
        caller = self.name if self.by == "signature" else self.owner
        if caller is None and self._context_id is None:  # most connections, and each request asks twice
            return {}
        fixed = {"context_id": self._context_id, "caller_id": caller}
        return {name: value for name, value in fixed.items() if value is not None}

    def admit(self, request: Request) -> None:
        """Refuse a request that is not allowed, and fill in the fields that a bound connection may leave out.

        Raises:
            RpcError: The request is not allowed.
        """
        if self._holder is not None and self._holder.expires_s is not None:
            self.check()
        needed = needed_scope(request.method)
        if request.method == "hero_subscribe" and _topic(request) == "audit":
            needed = Scope.ADMIN
        if self.scope < needed:
            if self.scope is Scope.NONE:
                raise self.unknown(request.method[:100])
            scope = needed.name.lower()
            text = f"this method needs the scope '{scope}'; this {self.by} has '{self.scope.name.lower()}'"
            raise self.refused(request.method[:100], text, f"ask the operator for the scope '{scope}'")
        bindings = self.bindings
        if bindings and needed >= Scope.USER:
            for job in _jobs_in(request):
                self._bind(job, bindings)

    def bound(self, job: Job) -> dict[str, Any]:
        """Return the changes that make a job one of this connection.

        Raises:
            RpcError: The job names another caller or context.
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
        """Build the error for something that this connection may not do, and log it."""
        self.gate.log_refusal(self, what)
        return RpcError(ErrorCode.FORBIDDEN, text, kind="forbidden", hint=hint)

    def unknown(self, what: str) -> RpcError:
        """Build the error for something that needs authentication, and log it."""
        self.gate.log_refusal(self, what)
        return unauthenticated("this needs a token or a signature")

    def _bind(self, job: dict[str, Any], bindings: Mapping[str, str]) -> None:
        for name, value in bindings.items():
            given = [job[spelling] for spelling in _SPELLINGS[name] if job.get(spelling) is not None]
            if any(other != value for other in given):
                raise self._other(name)
            if not given:
                job[name] = value

    def _other(self, name: str) -> RpcError:
        source = "path" if name == "context_id" else self.by
        text = f"the {source} of this connection fixes the {name} of its jobs, and this job has another one"
        return self.refused(name, text, f"leave {name} out, or use a connection for the other {name}")


_SESSION: ContextVar[RpcSession] = ContextVar("session")


def enter(session: RpcSession) -> None:
    """Mark this task, and those that it starts, as working for this connection."""
    _SESSION.set(session)


def current() -> RpcSession:
    """Return the session of the request that is being answered."""
    return _SESSION.get()


def _topic(request: Request) -> object:
    params = request.params
    return params.get("topic") if isinstance(params, dict) else next(iter(params), None)


def _jobs_in(request: Request) -> Iterator[dict[str, Any]]:
    """Find each object among the parameters that has a script, no matter how deeply it is nested."""
    params = request.params
    if isinstance(params, dict) and request.method in _FIELDS_BY_NAME and isinstance(params.get("script"), str):
        yield params
        return
    # Not recursive, because a client may nest deeper than Python's recursion limit.
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
