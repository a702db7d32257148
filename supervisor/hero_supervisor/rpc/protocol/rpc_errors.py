"""Builds the error for each failure that a client can meet: code, kind, message and what to do next.

The dispatcher translates exceptions of jobs and of the fleet here, and methods build their own errors here, so an error
has the same code on every transport. ``kind`` is a stable word. For a failed job it is the kind of the failure
(``runtime``, ``timeout``, ``lost`` ...), because the code already says that the job failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from hero_job.model.errors import (
    HeroJobError,
    JobConflict,
    JobDamaged,
    JobFailed,
    JobInvalid,
    JobNotFound,
    JobStateError,
    StoreRefused,
    StoreUnavailable,
    WaitTimeout,
)
from hero_job.model.objects.errors import (
    InsufficientAuthorization,
    ObjectChanged,
    ObjectError,
    ObjectInvalid,
    ObjectNotFound,
)
from hero_supervisor.errors import (
    ActorElsewhere,
    ActorUnknown,
    FleetError,
    FunctionsUnknown,
    ReloadRefused,
    RollStopped,
    ScaleRefused,
)
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError

#: Codes of every method that uses the store.
STORE_CODES: Final = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_REFUSED)
#: Codes of every method that reads one job.
JOB_CODES: Final = (ErrorCode.JOB_NOT_FOUND, ErrorCode.JOB_DAMAGED, *STORE_CODES)

#: Problems that one error lists.
MAX_PROBLEMS: Final = 100

_STATE_HINTS: Final = {
    "start": "a job starts only once; call get_job_status or get_job_output to see what became of it",
    "delete": "wait until the job has ended, or stop it with stop_job, then delete it",
    "retry": "only a job that ended in error or was stopped can run again; stop_job stops one that still runs",
}


def from_job_error(error: HeroJobError) -> RpcError:
    """Translate an error of the job package."""
    text = str(error)
    match error:
        case JobInvalid():
            return RpcError(
                ErrorCode.INVALID_PARAMS,
                f"Invalid params: {text}",
                kind="job_invalid",
                hint=f"correct the field '{error.field}' and send the job again",
                field=error.field,
                reason=error.reason,
            )
        case JobNotFound():
            hint = "check the id; jobs are deleted some time after they have ended"
            return RpcError(ErrorCode.JOB_NOT_FOUND, text, kind="job_not_found", hint=hint, job_id=error.job_id)
        case JobConflict():
            hint = "leave the id out to get a new one, or send the same job that already has this id"
            data = {"job_id": error.job_id, "field": error.field}
            return RpcError(ErrorCode.JOB_CONFLICT, text, kind="job_conflict", hint=hint, **data)
        case JobStateError():
            hint = _STATE_HINTS.get(error.action, "call get_job_status for the job's status")
            data = {"job_id": error.job_id, "status": str(error.status), "action": error.action}
            return RpcError(ErrorCode.JOB_STATE, text, kind="job_state", hint=hint, **data)
        case JobFailed():
            return RpcError(
                ErrorCode.JOB_FAILED,
                text,
                kind=error.kind,
                hint="the script ended without a result; correct the script or its timeout, then run a new job",
                job_id=error.job_id,
                message=error.message,
                line=error.line,
                column=error.column,
            )
        case JobDamaged():
            hint = "another program wrote to the job's key in the store; delete the job and create it again"
            data = {"job_id": error.job_id, "field": error.field, "reason": error.reason}
            return RpcError(ErrorCode.JOB_DAMAGED, text, kind="job_damaged", hint=hint, **data)
        case WaitTimeout():
            hint = "the job goes on; call get_job_output later, and list_actors to see whether an actor serves its type"
            return RpcError(
                ErrorCode.WAIT_TIMEOUT,
                text,
                kind="wait_timeout",
                hint=hint,
                job_id=error.job_id,
                waited_s=error.waited_s,
            )
        case ObjectError():
            return _from_object_error(error)
        case StoreUnavailable():
            hint = "try again; creating a job again is safe if you chose its id"
            return RpcError(ErrorCode.STORE_UNAVAILABLE, text, kind="store_unavailable", hint=hint, url=error.url)
        case StoreRefused():
            hint = "the operator must check the store: its memory, its permissions, and whether it is a replica"
            return RpcError(ErrorCode.STORE_REFUSED, text, kind="store_refused", hint=hint, store_code=error.code)
        case _:
            return internal_error()


def _from_object_error(error: ObjectError) -> RpcError:
    text = str(error)
    match error:
        case ObjectNotFound():
            hint = "check SID, type and context; what a caller may not read does not exist for it"
            return RpcError(ErrorCode.OBJECT_NOT_FOUND, text, kind="object_not_found", hint=hint, sid=error.sid)
        case InsufficientAuthorization():
            hint = "an administrator of the context can grant the right with change_object_rights"
            data = {"caller_id": error.caller_id, "context_id": error.context_id}
            return RpcError(ErrorCode.FORBIDDEN, text, kind="insufficient_authorization", hint=hint, **data)
        case ObjectChanged():
            hint = "get the object again, make the change there, and set it with its new version"
            changed = {"sid": error.sid, "version": error.version, "base": error.base}
            return RpcError(ErrorCode.OBJECT_CHANGED, text, kind="object_changed", hint=hint, **changed)
        case ObjectInvalid():
            hint = "correct it and send the request again; docs/osis.md has the limits and the language of queries"
            text = f"Invalid params: {text}"
            return RpcError(ErrorCode.INVALID_PARAMS, text, kind="object_invalid", hint=hint, reason=error.reason)
        case _:
            return RpcError(ErrorCode.OBJECT_CHANGED, text, kind="objects_busy", hint="try again a little later")


def from_fleet_error(error: FleetError) -> RpcError:
    """Translate an error about actor processes or the config."""
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
        case FunctionsUnknown():
            hint = "see families in [actors.allow]; only our own actors offer functions"
            data = {"name": error.name, "reason": error.reason}
            return RpcError(ErrorCode.FUNCTIONS_UNKNOWN, text, kind="functions_unknown", hint=hint, **data)
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


def from_validation(error: ValidationError, parameter_names: Sequence[str]) -> RpcError:
    """Translate pydantic's complaints about the parameters of a call.

    Args:
        error: Raised before the method was entered.
        parameter_names: In the order of the method's signature, to name positional parameters.
    """
    problems: list[dict[str, Any]] = []
    for found in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]:
        first, *rest = found["loc"] or ("params",)
        if isinstance(first, int) and first < len(parameter_names):
            first = parameter_names[first]
        problem = found["msg"].removeprefix("Value error, ").replace("argument", "parameter").replace("Input", "it")
        problems.append({"param": ".".join(f"{part!s:.100}" for part in (first, *rest)), "problem": problem})
    text = "; ".join(f"{problem['param']}: {problem['problem']}" for problem in problems[:3])
    expected = ", ".join(parameter_names) or "none"
    hint = f"give these parameters, in this order or by name: {expected}"
    return RpcError(
        ErrorCode.INVALID_PARAMS, f"Invalid params: {text}", kind="invalid_params", hint=hint, problems=problems
    )


def method_not_found(method: str) -> RpcError:
    """Build the error for an unknown method."""
    hint = "check the name; rpc.discover lists the methods"
    text = f"Method not found: {method[:100]}"
    return RpcError(ErrorCode.METHOD_NOT_FOUND, text, kind="method_not_found", hint=hint, method=method[:100])


def batch_not_found(batch_id: str) -> RpcError:
    """Build the error for an unknown batch."""
    hint = "check the id that create_jobs returned; batches are deleted some time after their jobs have ended"
    text = f"no batch with id '{batch_id}'"
    return RpcError(ErrorCode.BATCH_NOT_FOUND, text, kind="batch_not_found", hint=hint, batch_id=batch_id)


def schedule_not_found(name: str) -> RpcError:
    """Build the error for an unknown schedule."""
    hint = "check the name; list_schedules lists the schedules"
    text = f"no schedule of the name '{name}'"
    return RpcError(ErrorCode.SCHEDULE_NOT_FOUND, text, kind="schedule_not_found", hint=hint, name=name)


def cannot_push() -> RpcError:
    """Build the error for a subscription over a transport that cannot push."""
    hint = "use a WebSocket or the Unix socket, or poll get_job, get_job_logs and stats"
    text = "HTTP POST has no subscriptions: a request has exactly one answer"
    return RpcError(
        ErrorCode.PUSH_UNSUPPORTED, text, kind="push_unsupported", hint=hint, transports=["unix", "websocket"]
    )


def too_many_subscriptions(max_subscriptions: int) -> RpcError:
    """Build the error for one subscription too many."""
    hint = "end one with hero_unsubscribe, follow several job_ids in one subscription, or open another connection"
    text = f"this connection already has {max_subscriptions} subscriptions"
    kind = "too_many_subscriptions"
    return RpcError(ErrorCode.TOO_MANY_SUBSCRIPTIONS, text, kind=kind, hint=hint, max_subscriptions=max_subscriptions)


def internal_error() -> RpcError:
    """Build the error for a defect of the server; its details are in the log only."""
    hint = "report it to the operator; the server's log has the details"
    return RpcError(ErrorCode.INTERNAL_ERROR, "Internal error", kind="internal_error", hint=hint)
