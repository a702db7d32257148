"""The numbers of the errors, which clients of every version compare."""

from __future__ import annotations

import pytest

from hero_job.model.errors import JobStateError
from hero_supervisor.rpc.protocol.rpc_errors import from_job_error
from hero_supervisor.rpc.protocol.wire import ErrorCode

#: Never change a number: add new ones.
NUMBERS = {
    "PARSE_ERROR": -32700,
    "INVALID_REQUEST": -32600,
    "METHOD_NOT_FOUND": -32601,
    "INVALID_PARAMS": -32602,
    "INTERNAL_ERROR": -32603,
    "JOB_NOT_FOUND": 1001,
    "JOB_CONFLICT": 1002,
    "JOB_STATE": 1003,
    "JOB_FAILED": 1004,
    "JOB_DAMAGED": 1005,
    "WAIT_TIMEOUT": 1006,
    "BATCH_NOT_FOUND": 1007,
    "SCHEDULE_NOT_FOUND": 1008,
    "STORE_UNAVAILABLE": 1101,
    "STORE_REFUSED": 1102,
    "MESSAGE_TOO_LARGE": 1201,
    "BATCH_TOO_LARGE": 1202,
    "SHUTTING_DOWN": 1203,
    "ANSWER_TOO_LARGE": 1204,
    "TOO_MANY_CONNECTIONS": 1205,
    "UNAUTHENTICATED": 1301,
    "FORBIDDEN": 1302,
    "TOO_MANY_ATTEMPTS": 1303,
    "SIGNATURE_REFUSED": 1304,
    "NOT_SUPERVISED": 1401,
    "ACTOR_NOT_FOUND": 1402,
    "ACTOR_ELSEWHERE": 1403,
    "SCALE_REFUSED": 1404,
    "ROLL_STOPPED": 1405,
    "FUNCTIONS_UNKNOWN": 1407,
    "RELOAD_REFUSED": 1406,
    "OBJECT_NOT_FOUND": 1601,
    "OBJECT_CHANGED": 1602,
    "PUSH_UNSUPPORTED": 1501,
    "TOO_MANY_SUBSCRIPTIONS": 1502,
    "SUBSCRIPTION_OVERFLOW": 1503,
}


def test_no_error_has_another_number_than_clients_know() -> None:
    assert {code.name: int(code) for code in ErrorCode} == NUMBERS


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ("start", "a job starts only once"),
        ("delete", "wait until the job has ended, or stop it with stop_job"),
        ("retry", "only a job that ended in error or was stopped can run again"),
        ("sign", "call get_job_status for the job's status"),
    ],
)
def test_who_asks_for_something_that_the_status_of_a_job_forbids_is_told_what_to_do(action: str, hint: str) -> None:
    error = from_job_error(JobStateError("j", "started", action))

    assert error.data["hint"].startswith(hint)
    assert error.data["action"] == action
