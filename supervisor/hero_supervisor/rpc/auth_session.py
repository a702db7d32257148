"""What one connection may do, asked about each of its requests; and the supervisor that holds jobs to it.

Owned here: the identity of a connection and what follows from it. ``Session.admit`` sees a request before its method
and fills in what may be left out of a job; ``SessionSupervisor`` sees the job itself, however it came to be. Invariant:
over a bound connection no job of another context or caller is created, whatever method creates it.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job import Job
from hero_job.batches import BatchCreated
from hero_job.job import CAMEL_CASE
from hero_job.schedules import Schedule
from hero_job.status import JobStatus
from hero_supervisor.api import AsyncSupervisor
from hero_supervisor.rpc.auth import Attempts, Holder, Scope, Tokens, needed_scope
from hero_supervisor.rpc.dispatch import Dispatcher
from hero_supervisor.rpc.methods import ANONYMOUS
from hero_supervisor.rpc.wire import ErrorCode, Request, RpcError

log = logging.getLogger(__name__)

# Methods that take the fields of a job as parameters of their own.
_FIELDS_BY_NAME: Final = frozenset({"create_job", "run_job"})
# What makes an object a job: a script, which the newer Rust supervisor calls payload.
_SCRIPT_NAMES: Final = frozenset({"script", "payload"})
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    name: (name, *(camel for camel, snake in CAMEL_CASE.items() if snake == name))
    for name in ("caller_id", "context_id")
}


class Gate:
    """What all connections of a server share: the tokens, and who was refused how often.

    Args:
        tokens: Without any, everybody is an administrator.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._wrong = Attempts()
        self._refused = Attempts()

    def look_up(self, token: str, peer: str) -> Holder:
        """Find whose token this is.

        Raises:
            RpcError: Nobody's, or the peer has been wrong too often.
        """
        now = time.monotonic()
        blocked_s = self._wrong.blocked_s(peer, now)
        if blocked_s > 0:
            hint = f"wait {blocked_s:.0f} s"
            text = "too many wrong tokens from this address"
            raise RpcError(
                ErrorCode.TOO_MANY_ATTEMPTS, text, kind="too_many_attempts", hint=hint, retry_s=round(blocked_s, 1)
            )
        holder = self.tokens.holder(token)
        if holder is None:
            self._wrong.count(peer, now)
            log.warning("rpc.token_refused", extra={"peer": peer})
            raise unauthenticated("this token is not known")
        return holder

    def log_refusal(self, session: Session, what: str) -> None:
        """Write a line about what a connection may not do; not without end for one peer."""
        now = time.monotonic()
        if self._refused.blocked_s(session.peer, now) == 0:
            self._refused.count(session.peer, now)
            extra = {"peer": session.peer, "holder": session.name, "scope": session.scope.name.lower(), "what": what}
            log.warning("rpc.refused", extra=extra)


class Session:
    """The identity of one connection.

    Args:
        gate: Of the server.
        peer: IP address of the client.
        context_id: The only context that its jobs may have; None for any.
    """

    def __init__(self, gate: Gate, peer: str, context_id: str | None = None) -> None:
        self.peer = peer
        self.name: str | None = None
        self.scope = Scope.NONE if gate.tokens else Scope.ADMIN
        self._gate = gate
        self._context_id = context_id

    def authenticate(self, token: str) -> None:
        """Become the holder of a token.

        Raises:
            RpcError: It is nobody's, or the peer has been wrong too often.
        """
        holder = self._gate.look_up(token, self.peer)
        self.name, self.scope = holder.name, holder.scope

    @property
    def owner(self) -> str | None:
        """Whose jobs these are, when its rights end at its own jobs."""
        return self.name if self.scope is Scope.USER else None

    @property
    def bindings(self) -> dict[str, str]:
        """The fields of a job that are not free, with what they must be."""
        fixed = {"context_id": self._context_id, "caller_id": self.owner}
        return {name: value for name, value in fixed.items() if value is not None}

    def admit(self, request: Request) -> None:
        """Refuse what is not allowed, and fill in what a bound connection may leave out.

        Raises:
            RpcError: The request may not be done.
        """
        needed = needed_scope(request.method)
        if self.scope < needed:
            if self.scope is Scope.NONE:
                raise unauthenticated("this takes a token")
            scope = needed.name.lower()
            text = f"this takes the scope '{scope}'; this token has '{self.scope.name.lower()}'"
            raise self.refused(request.method[:100], text, f"ask the operator for a token of the scope '{scope}'")
        bindings = self.bindings
        if bindings and needed >= Scope.USER:
            for job in _jobs_in(request):
                self._bind(job, bindings)

    def bound(self, job: Job) -> Job:
        """Hold a job to what the connection is bound to.

        Raises:
            RpcError: It says that it is another's.
        """
        for name, value in self.bindings.items():
            given = getattr(job, name)
            if given == value:
                continue
            if given != ANONYMOUS[name]:
                raise self._other(name)
            fixed: dict[str, Any] = {name: value}
            job = dataclasses.replace(job, **fixed)
        return job

    def refused(self, what: str, text: str, hint: str) -> RpcError:
        """Build the error for what this connection may not do, and log it."""
        self._gate.log_refusal(self, what)
        return RpcError(ErrorCode.FORBIDDEN, text, kind="forbidden", hint=hint)

    def _bind(self, job: dict[str, Any], bindings: Mapping[str, str]) -> None:
        for name, value in bindings.items():
            given = [job[spelling] for spelling in _SPELLINGS[name] if job.get(spelling) is not None]
            if any(other != value for other in given):
                raise self._other(name)
            if not given:
                job[name] = value

    def _other(self, name: str) -> RpcError:
        bound_to = "its path" if name == "context_id" else "its token"
        text = f"the {name} of this connection's jobs is that of {bound_to}"
        return self.refused(name, text, f"leave {name} out, or connect for the other one")


_SESSION: ContextVar[Session] = ContextVar("session")


def enter(session: Session) -> None:
    """From here on this task, and those that it starts, work for this connection."""
    _SESSION.set(session)


class SessionSupervisor(AsyncSupervisor):
    """A supervisor that does for the current session only what that one may do."""

    async def create_job(self, job: Job) -> str:
        """As `AsyncSupervisor.create_job`."""
        return await super().create_job(_SESSION.get().bound(job))

    async def submit_job(self, job: Job) -> str:
        """As `AsyncSupervisor.submit_job`."""
        return await super().submit_job(_SESSION.get().bound(job))

    async def create_jobs(
        self, jobs: Sequence[Job], *, start: bool = True, batch_id: str | None = None
    ) -> BatchCreated:
        """As `AsyncSupervisor.create_jobs`."""
        session = _SESSION.get()
        return await super().create_jobs([session.bound(job) for job in jobs], start=start, batch_id=batch_id)

    async def put_schedule(self, schedule: Schedule) -> int:
        """As `AsyncSupervisor.put_schedule`."""
        session = _SESSION.get()
        job = schedule.job_at(0)
        if session.bound(job) != job:
            raise session.refused("schedule", "this schedule's job is of no caller or context", "name them in the job")
        return await super().put_schedule(schedule)

    async def start_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.start_job`."""
        await self._check_owner(job_id)
        await super().start_job(job_id)

    async def stop_job(self, job_id: str) -> JobStatus:
        """As `AsyncSupervisor.stop_job`."""
        await self._check_owner(job_id)
        return await super().stop_job(job_id)

    async def retry_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.retry_job`."""
        await self._check_owner(job_id)
        await super().retry_job(job_id)

    async def delete_job(self, job_id: str) -> None:
        """As `AsyncSupervisor.delete_job`."""
        await self._check_owner(job_id)
        await super().delete_job(job_id)

    async def _check_owner(self, job_id: str) -> None:
        session = _SESSION.get()
        if session.owner is not None and (await self.get_job(job_id)).job.caller_id != session.owner:
            text = "this job is another caller's"
            raise session.refused(f"job {job_id}", text, "this takes the scope 'admin'")


class Identity(TypedDict):
    """Whom a connection speaks for."""

    name: str | None
    scope: str


def register(dispatcher: Dispatcher) -> None:
    """Offer the methods that only a transport with sessions has."""

    async def authenticate(token: str) -> Identity:
        """Say who you are, with a bearer token; the first message of a WebSocket without an Authorization header."""
        _SESSION.get().authenticate(token)
        return await whoami()

    async def whoami() -> Identity:
        """Return whom this connection speaks for."""
        session = _SESSION.get()
        return {"name": session.name, "scope": session.scope.name.lower()}

    dispatcher.register(
        "authenticate", authenticate, error_codes=(ErrorCode.UNAUTHENTICATED, ErrorCode.TOO_MANY_ATTEMPTS)
    )
    dispatcher.register("whoami", whoami)


def unauthenticated(text: str) -> RpcError:
    """Build the error for a client that has not said who it is."""
    hint = 'send the header "Authorization: Bearer TOKEN"; over a WebSocket, or authenticate(token) as first message'
    return RpcError(ErrorCode.UNAUTHENTICATED, text, kind="unauthenticated", hint=hint)


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
