"""In whose name a request acts on many jobs, and the record of what requests have changed.

The methods on many jobs ask `ActSessions`; the dispatcher calls `Audit.note` after each request. Invariants: a bound
connection acts on its own jobs only; every method that changes something is recorded, except those that only create and
start jobs, which the jobs themselves record; no secret is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from hero_job.model.errors import HeroJobError
from hero_job.model.fields.spellings import FOREIGN_NAME
from hero_job.model.overview.selection import JobSelection
from hero_job.operations.overview.acts import Acts
from hero_supervisor.rpc.auth.scopes import Scope, needed_scope
from hero_supervisor.rpc.auth.session import current
from hero_supervisor.rpc.protocol.wire import Request

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.rpc.protocol.dispatch import Dispatcher

#: Methods of which a job tells everything: its caller, and when it was created and started.
CREATING: Final = frozenset(
    {"create_job", "create_jobs", "start_job", "run_job", "run_jobs", "play", "jobs.create", "job.run", "job.start"}
)
#: Parameters, at any depth, whose values are not recorded.
SECRET: Final = frozenset(
    {"env_vars", FOREIGN_NAME["env_vars"], "fields", "password", "payload", "script", "secret", "signature", "token"}
)
_MASK: Final = "***"
_MAX_TEXT: Final = 200
_MAX_ITEMS: Final = 20
_MAX_PARAMS: Final = 2000
_MAX_DEPTH: Final = 6

log = logging.getLogger(__name__)


class ActSessions:
    """Says in whose name the current request acts on many jobs, and whose events it sees."""

    def who(self) -> str:
        """The name of the current connection; "" if it has none."""
        return current().name or ""

    def owner(self) -> str | None:
        """The only caller whose jobs it may change; None for those of all."""
        return current().owner

    def context_id(self) -> str | None:
        """The only context whose events it may see; None for all."""
        return current().context_id

    def within_reach(self, wanted: JobSelection) -> JobSelection:
        """Return the selection without the jobs of others.

        Raises:
            RpcError: It names another caller.
        """
        session = current()
        if session.owner is None:
            return wanted
        if wanted.caller_id not in (None, session.owner):
            hint = "leave caller_id out, or ask the operator for the scope 'admin'"
            raise session.refused("jobs of another caller", "these jobs belong to another caller", hint)
        return replace(wanted, caller_id=session.owner)


class Audit:
    """Writes the record of what requests have changed.

    Args:
        supervisor: Whose store has it.
        dispatcher: Knows the methods.
    """

    def __init__(self, supervisor: AsyncSupervisor, dispatcher: Dispatcher) -> None:
        self._store = supervisor.store
        self._acts = Acts(supervisor.operations)
        self._dispatcher = dispatcher

    async def note(self, request: Request, outcome: str) -> None:
        """Record a request that was admitted, if its method changes something.

        Args:
            request: The request.
            outcome: `ok`, or the kind of its error.
        """
        if request.method in CREATING or request.method in READING:
            return
        needed = needed_scope(request.method)
        if needed < Scope.USER:
            return
        method = self._dispatcher.methods.get(request.method)
        session = current()
        if method is None or session.scope < needed:
            return
        params = request.params
        named = params if isinstance(params, dict) else dict(zip(method.parameter_names, params, strict=False))
        fields = {
            "who": session.name or "",
            "scope": session.scope.name.lower(),
            "by": session.by or "",
            "peer": session.peer,
            "method": request.method,
            "params": masked(named),
            "outcome": outcome,
        }
        try:
            await self._store.run(self._acts.note(fields))
        except HeroJobError as e:
            # What was done is done; the log keeps it instead.
            log.error("rpc.unrecorded", extra={**fields, "error": str(e)})


#: Methods that need a high scope and change nothing.
READING: Final = frozenset({"get_actor_logs", "get_audit", "new_object"})


def masked(params: Mapping[str, Any]) -> str:
    """Return parameters as JSON, without secrets, cut to a bounded length."""
    text = orjson.dumps(_masked(params, 0), option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= _MAX_PARAMS else text[:_MAX_PARAMS] + "..."


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        if depth == _MAX_DEPTH:
            return "..."
        shown = list(value.items())[:_MAX_ITEMS]
        return {str(k)[:_MAX_TEXT]: _MASK if k in SECRET else _masked(v, depth + 1) for k, v in shown}
    if isinstance(value, list):
        if depth == _MAX_DEPTH:
            return "..."
        more = [f"... {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else []
        return [_masked(item, depth + 1) for item in value[:_MAX_ITEMS]] + more
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "..."
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return str(value)[:_MAX_TEXT]
    return value
