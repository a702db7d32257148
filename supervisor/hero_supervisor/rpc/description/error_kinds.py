"""The kinds of every error code, and the fields that their `data` may have beside `kind` and `hint`. Pure.

Invariant: these are all the kinds that the source names; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hero_supervisor.rpc.protocol.wire import ErrorCode as Code

#: For a failed job the kind is that of its failure: of the engine, or `timeout`, `stopped`, `lost`, `expired` ...
ANY_KIND: Final = "*"

KINDS: Final[Mapping[Code, Mapping[str, tuple[str, ...]]]] = {
    Code.PARSE_ERROR: {"parse_error": ()},
    Code.INVALID_REQUEST: {"invalid_request": (), "too_many_values": ()},
    Code.METHOD_NOT_FOUND: {"method_not_found": ("method",)},
    Code.INVALID_PARAMS: {
        "invalid_params": ("problems",),
        "job_invalid": ("field", "reason"),
        "no_context": (),
        "object_invalid": ("reason",),
        "too_many_params": (),
    },
    Code.INTERNAL_ERROR: {"internal_error": ()},
    Code.JOB_NOT_FOUND: {"job_not_found": ("job_id",)},
    Code.JOB_CONFLICT: {"job_conflict": ("job_id", "field")},
    Code.JOB_STATE: {"job_state": ("job_id", "status", "action")},
    Code.JOB_FAILED: {ANY_KIND: ("job_id", "message", "line", "column")},
    Code.JOB_DAMAGED: {"job_damaged": ("job_id", "field", "reason")},
    Code.WAIT_TIMEOUT: {"wait_timeout": ("job_id", "waited_s")},
    Code.BATCH_NOT_FOUND: {"batch_not_found": ("batch_id",)},
    Code.SCHEDULE_NOT_FOUND: {"schedule_not_found": ("name",)},
    Code.STORE_UNAVAILABLE: {"store_unavailable": ("url",)},
    Code.STORE_REFUSED: {"store_refused": ("store_code",)},
    Code.MESSAGE_TOO_LARGE: {"message_too_large": ("max_bytes",)},
    Code.BATCH_TOO_LARGE: {"batch_too_large": ("max_batch",)},
    Code.SHUTTING_DOWN: {"shutting_down": ()},
    Code.ANSWER_TOO_LARGE: {"answer_too_large": ("max_bytes",)},
    Code.TOO_MANY_CONNECTIONS: {"too_many_connections": ("max_connections",)},
    Code.UNAUTHENTICATED: {"unauthenticated": (), "no_session": ()},
    Code.FORBIDDEN: {
        "forbidden": (),
        "no_right": ("job_id",),
        "insufficient_authorization": ("caller_id", "context_id"),
    },
    Code.TOO_MANY_ATTEMPTS: {"too_many_attempts": ("retry_s",)},
    Code.SIGNATURE_REFUSED: {
        "signature_missing": ("job_id",),
        "signature_wrong": ("job_id", "public_key"),
        "signature_of_schedule": (),
    },
    Code.NOT_SUPERVISED: {"not_supervised": ()},
    Code.ACTOR_NOT_FOUND: {"actor_not_found": ("name", "known")},
    Code.ACTOR_ELSEWHERE: {"actor_elsewhere": ("name", "host")},
    Code.SCALE_REFUSED: {"scale_refused": ("name", "reason")},
    Code.ROLL_STOPPED: {"roll_stopped": ("slot", "reason", "kept", "replaced")},
    Code.FUNCTIONS_UNKNOWN: {"functions_unknown": ("name", "reason")},
    Code.RELOAD_REFUSED: {"reload_refused": ("problems",)},
    Code.OBJECT_NOT_FOUND: {"object_not_found": ("sid",)},
    Code.OBJECT_CHANGED: {"object_changed": ("sid", "version", "base"), "objects_busy": ()},
    Code.PUSH_UNSUPPORTED: {"push_unsupported": ("transports",)},
    Code.TOO_MANY_SUBSCRIPTIONS: {"too_many_subscriptions": ("max_subscriptions",)},
    Code.SUBSCRIPTION_OVERFLOW: {"subscription_overflow": ("queued",)},
}


def all_errors() -> list[dict[str, Any]]:
    """Describe every error code with its kinds, for the document."""
    return [
        {
            "code": int(code),
            "name": code.name.lower(),
            "kinds": {kind: list(fields) for kind, fields in kinds.items()},
        }
        for code, kinds in KINDS.items()
    ]


def kinds_of(code: int) -> list[str]:
    """List the kinds of a code."""
    return list(KINDS[Code(code)])
