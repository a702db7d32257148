"""In whose name, and in which context, a request works with objects: what its connection allows, and no more.

The methods on objects ask it. Invariants: a bound connection speaks only for its caller, and one that its path binds
works only in its context; the rights of the configuration count for objects as for OSIS jobs; nothing is written
without a signature in a context that requires signatures.
"""

from __future__ import annotations

from hero_config.model.settings import RpcSettings
from hero_job.operations.objects.guard import ObjectAccess
from hero_supervisor.rpc.auth.rights import Rights
from hero_supervisor.rpc.auth.session import current
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError


class ObjectSessions:
    """Gives each request its access to objects.

    Args:
        settings: Rights, and the contexts that require signatures.
    """

    def __init__(self, settings: RpcSettings) -> None:
        self._rights = Rights(settings)

    def access(self, context_id: str | None, *, writes: bool = False) -> ObjectAccess:
        """Make the access of the current request.

        Args:
            context_id: As the request names it; None for the one of the connection.
            writes: The request changes something.

        Raises:
            RpcError: The connection may not do this.
        """
        session = current()
        caller_id, bound = session.bindings.get("caller_id"), session.bindings.get("context_id")
        wanted = context_id or bound or caller_id
        if wanted is None:
            hint = "give the parameter 'context_id'; only a connection that speaks for a caller has one of its own"
            raise RpcError(
                ErrorCode.INVALID_PARAMS, "Invalid params: context_id is missing", kind="no_context", hint=hint
            )
        if bound is not None and wanted != bound:
            text = "the path of this connection fixes the context_id, and this request has another one"
            raise session.refused("context_id", text, "leave context_id out, or use a connection for the other context")
        if caller_id is not None and not self._rights.allow_objects(caller_id, wanted):
            text = f"caller '{caller_id:.80}' has no right to objects in context '{wanted:.80}'"
            hint = "the operator can allow it in rights, in section [rpc] of the configuration, with type osis"
            raise RpcError(ErrorCode.FORBIDDEN, text, kind="no_right", hint=hint)
        if writes and session.by != "signature" and self._rights.is_signed_context(wanted):
            text = f"what changes context '{wanted:.80}' must be signed by its caller"
            hint = "authenticate this connection by a signature, or send a signed job that changes the objects"
            raise RpcError(ErrorCode.SIGNATURE_REFUSED, text, kind="signature_missing", hint=hint)
        return ObjectAccess(context_id=wanted, caller_id=caller_id)

    def is_operator(self) -> bool:
        """Whether the connection may see all contexts."""
        return not current().bindings
