"""Translates the errors of the fleet, about actor processes and the config, into errors of JSON-RPC."""

from __future__ import annotations

from hero_supervisor.errors import (
    ActorElsewhere,
    ActorUnknown,
    FleetError,
    ReloadRefused,
    RollStopped,
    ScaleRefused,
)
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError


def from_fleet_error(error: FleetError) -> RpcError:
    """Translate an error of the fleet."""
    text = str(error)
    match error:
        case ActorUnknown():
            hint = "check the name; list_actors shows the actors of all hosts"
            data = {"name": error.name, "known": error.known}
            return RpcError(ErrorCode.ACTOR_NOT_FOUND, text, kind="actor_not_found", hint=hint, **data)
        case ActorElsewhere():
            hint = "each supervisor controls only its own actors; ask the one on that host, or stop the process there"
            data = {"name": error.name, "host": error.host}
            return RpcError(ErrorCode.ACTOR_ELSEWHERE, text, kind="actor_elsewhere", hint=hint, **data)
        case ScaleRefused():
            hint = "get_actor shows the limits of an entry; min and max in the config set them"
            data = {"name": error.name, "reason": error.reason}
            return RpcError(ErrorCode.SCALE_REFUSED, text, kind="scale_refused", hint=hint, **data)
        case RollStopped():
            hint = "see the log for why it did not start; processes that were not replaced run as before"
            data = {"slot": error.slot, "reason": error.reason, "kept": error.kept, "replaced": error.replaced}
            return RpcError(ErrorCode.ROLL_STOPPED, text, kind="roll_stopped", hint=hint, **data)
        case ReloadRefused():
            hint = "correct the file and reload again; `hero-supervisor config check` finds the same problems"
            problems = list(error.problems)
            return RpcError(ErrorCode.RELOAD_REFUSED, text, kind="reload_refused", hint=hint, problems=problems)
        case _:
            hint = "start hero-supervisor with [[actors]] in its config, or ask a server that has some"
            return RpcError(ErrorCode.NOT_SUPERVISED, text, kind="not_supervised", hint=hint)
