"""The dispatcher: the examples of the specification, both parameter styles, and one answer for every request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

from hero_job.model import errors as job_errors
from hero_job.model.objects import errors as object_errors
from hero_supervisor.rpc.protocol.dispatch import BATCH_WIDTH, Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.protocol.calls import Calls, ask, result, turns_of_the_loop


def without_details(answer: Any) -> Any:
    """Reduce errors to their codes, because the specification does not prescribe texts."""
    if isinstance(answer, list):
        return [without_details(item) for item in answer]
    if isinstance(answer, dict) and "error" in answer:
        return {**answer, "error": answer["error"]["code"]}
    return answer


def error(code: int, request_id: object = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": code}


# Section 7 of the specification, in its order.
SPECIFICATION = {
    "positional parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        result(19, 1),
    ),
    "positional parameters, the other way round": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        result(-19, 2),
    ),
    "named parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        result(19, 3),
    ),
    "named parameters, the other way round": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        result(19, 4),
    ),
    "a notification": ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    "a notification without parameters": ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    "a method that does not exist": ('{"jsonrpc": "2.0", "method": "fobar", "id": "1"}', error(-32601, "1")),
    "invalid JSON": ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', error(-32700)),
    "an invalid request": ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', error(-32600)),
    "a batch of invalid JSON": (
        '[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ]',
        error(-32700),
    ),
    "an empty array": ("[]", error(-32600)),
    "an invalid batch that is not empty": ("[1]", [error(-32600)]),
    "an invalid batch": ("[1,2,3]", [error(-32600)] * 3),
    "a batch": (
        """[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        [result(7, "1"), result(19, "2"), error(-32600), error(-32601, "5"), result(["hello", 5], "9")],
    ),
    "a batch of notifications": (
        """[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
        ]""",
        None,
    ),
}


@pytest.mark.parametrize(("request_text", "expected"), SPECIFICATION.values(), ids=SPECIFICATION.keys())
def test_the_examples_of_the_specification_are_answered_as_it_says(
    runner: asyncio.Runner, dispatcher: Dispatcher, request_text: str, expected: Any
) -> None:
    assert without_details(ask(runner, dispatcher, request_text)) == expected


def test_notifications_are_carried_out(runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls) -> None:
    ask(
        runner,
        dispatcher,
        '[{"jsonrpc": "2.0", "method": "update", "params": [1,2]},{"jsonrpc":"2.0","method":"foobar"}]',
    )

    assert calls.seen == [("update", (1, 2)), "foobar"]


@pytest.mark.parametrize("method", ["nothing", "broken", "typed", "unencodable"])
def test_a_notification_that_fails_is_not_answered(runner: asyncio.Runner, dispatcher: Dispatcher, method: str) -> None:
    assert ask(runner, dispatcher, f'{{"jsonrpc":"2.0","method":"{method}"}}') is None


@pytest.mark.parametrize(
    ("params", "param", "problem"),
    [
        ("[]", "name", "missing"),
        ("{}", "name", "missing"),
        ("[1]", "name", "string"),
        ('{"name":null}', "name", "string"),
        ('[""]', "name", "at least 1"),
        ('["a",0]', "count", "greater than or equal to 1"),
        ('{"name":"a","count":"2"}', "count", "integer"),
        ('{"name":"a","count":true}', "count", "integer"),
        ('{"name":"a","coutn":1}', "coutn", "unexpected"),
        ('["a",1,2]', "2", "unexpected"),
    ],
)
def test_wrong_parameters_are_named(
    runner: asyncio.Runner, dispatcher: Dispatcher, params: str, param: str, problem: str
) -> None:
    answer = ask(runner, dispatcher, f'{{"jsonrpc":"2.0","id":1,"method":"typed","params":{params}}}')

    assert answer["error"]["code"] == -32602
    assert "name, count" in answer["error"]["data"]["hint"]
    (named,) = answer["error"]["data"]["problems"]
    assert named["param"] == param
    assert problem in named["problem"].lower()


@pytest.mark.parametrize("method", ["broken", "unencodable"])
def test_a_broken_method_is_logged_and_answered_without_its_secrets(
    runner: asyncio.Runner, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = ask(runner, dispatcher, f'{{"jsonrpc":"2.0","id":1,"method":"{method}"}}')

    assert answer["error"]["code"] == -32603
    assert "secret" not in str(answer)
    (record,) = caplog.records
    assert record.message == "rpc.method_broken"
    assert record.exc_info


JOB_ERRORS = [
    (
        job_errors.JobInvalid("timeout", "must be above zero"),
        ErrorCode.INVALID_PARAMS,
        "job_invalid",
        {"field": "timeout"},
    ),
    (job_errors.JobNotFound("j"), ErrorCode.JOB_NOT_FOUND, "job_not_found", {"job_id": "j"}),
    (job_errors.JobConflict("j", "script"), ErrorCode.JOB_CONFLICT, "job_conflict", {"job_id": "j", "field": "script"}),
    (job_errors.JobStateError("j", "started", "start"), ErrorCode.JOB_STATE, "job_state", {"status": "started"}),
    (job_errors.JobFailed("j", "timeout", "too long"), ErrorCode.JOB_FAILED, "timeout", {"line": None, "column": None}),
    (
        job_errors.JobFailed("j", "runtime", "no x", 3, 7),
        ErrorCode.JOB_FAILED,
        "runtime",
        {"message": "no x", "line": 3, "column": 7, "job_id": "j"},
    ),
    (job_errors.JobDamaged("j", "timeout", "not a number"), ErrorCode.JOB_DAMAGED, "job_damaged", {"field": "timeout"}),
    (job_errors.WaitTimeout("j", 5), ErrorCode.WAIT_TIMEOUT, "wait_timeout", {"job_id": "j", "waited_s": 5}),
    (
        job_errors.StoreUnavailable("redis://h/", "refused"),
        ErrorCode.STORE_UNAVAILABLE,
        "store_unavailable",
        {"url": "redis://h/"},
    ),
    (job_errors.StoreRefused("OOM", "OOM no room"), ErrorCode.STORE_REFUSED, "store_refused", {"store_code": "OOM"}),
    (object_errors.ObjectNotFound("00ab"), ErrorCode.OBJECT_NOT_FOUND, "object_not_found", {"sid": "00ab"}),
    (object_errors.ObjectChanged("00ab", 1, 2), ErrorCode.OBJECT_CHANGED, "object_changed", {"version": 2}),
    (object_errors.ObjectsBusy("the object"), ErrorCode.OBJECT_CHANGED, "objects_busy", {}),
    (object_errors.ObjectInvalid("index error", "no"), ErrorCode.INVALID_PARAMS, "object_invalid", {"reason": "no"}),
    (
        object_errors.InsufficientAuthorization("bob", "write note", "alice"),
        ErrorCode.FORBIDDEN,
        "insufficient_authorization",
        {"caller_id": "bob", "context_id": "alice"},
    ),
    (job_errors.HeroJobError(), ErrorCode.INTERNAL_ERROR, "internal_error", {}),
]


@pytest.mark.parametrize(("raised", "code", "kind", "data"), JOB_ERRORS, ids=lambda value: type(value).__name__)
def test_errors_of_jobs_have_a_code_a_kind_and_say_what_to_do(
    runner: asyncio.Runner,
    dispatcher: Dispatcher,
    raised: job_errors.HeroJobError,
    code: ErrorCode,
    kind: str,
    data: dict[str, Any],
) -> None:
    async def fail() -> None:
        raise raised

    dispatcher.register("fail", fail)
    answer = ask(runner, dispatcher, '{"jsonrpc":"2.0","id":1,"method":"fail"}')["error"]

    assert answer["code"] == code
    assert answer["data"]["kind"] == kind
    assert answer["data"]["hint"]
    assert data.items() <= answer["data"].items()


def test_every_concrete_error_of_the_job_package_that_a_call_can_raise_has_a_code() -> None:
    def concrete(cls: type[Exception]) -> set[type[Exception]]:
        # Those of the clients, and of tests that this process has run before, are no answers of the service.
        inner = [
            sub for sub in cls.__subclasses__() if not sub.__module__.startswith(("hero_client", "hero_ctl", "tests"))
        ]
        return set().union(*(concrete(sub) for sub in inner)) if inner else {cls}

    tested = {type(raised) for raised, *_ in JOB_ERRORS}

    # The URL of the store is checked when the service starts, and only `heroctl` makes exports.
    not_by_a_call = {job_errors.StoreUrlInvalid, job_errors.NamespaceInUse, job_errors.ExportInvalid}
    assert concrete(job_errors.HeroJobError) - tested == not_by_a_call


def test_requests_of_a_batch_run_concurrently_and_are_answered_in_order(
    runner: asyncio.Runner, dispatcher: Dispatcher
) -> None:
    meeting = asyncio.Barrier(3)

    async def meet(place: int) -> int:
        await meeting.wait()
        return place

    dispatcher.register("meet", meet)
    requests = ",".join(f'{{"jsonrpc":"2.0","id":{i},"method":"meet","params":[{i}]}}' for i in range(3))

    assert ask(runner, dispatcher, f"[{requests}]") == [result(i, i) for i in range(3)]


def test_once_the_answer_to_a_batch_is_full_only_its_notifications_are_carried_out(
    runner: asyncio.Runner, calls: Calls
) -> None:
    dispatcher = Dispatcher(max_batch=300, max_batch_answer_bytes=1000)
    for method in (calls.typed, calls.foobar, calls.notify_hello):
        dispatcher.register(method.__name__, method)
    large = {"jsonrpc": "2.0", "id": 1, "method": "typed", "params": ["x" * 400]}
    late = {"jsonrpc": "2.0", "id": 2, "method": "foobar"}
    notification = {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}

    answers = ask(runner, dispatcher, orjson.dumps([large] * (2 * BATCH_WIDTH) + [late, notification]).decode())

    assert [a["id"] for a in answers] == [1] * (2 * BATCH_WIDTH) + [2]
    assert [len(a["result"]) for a in answers[:2]] == [400, 400]
    assert all(a["error"]["code"] == ErrorCode.ANSWER_TOO_LARGE for a in answers[2:])
    assert calls.seen == [("notify_hello", 7)]


def test_a_batch_of_more_requests_than_run_concurrently_is_answered_whole(
    runner: asyncio.Runner, dispatcher: Dispatcher
) -> None:
    count = BATCH_WIDTH * 3 + 1
    requests = ",".join(f'{{"jsonrpc":"2.0","id":{i},"method":"sum","params":[{i}]}}' for i in range(count))

    assert ask(runner, dispatcher, f"[{requests}]") == [result(i, i) for i in range(count)]


@pytest.mark.parametrize("batch", [False, True])
def test_a_stopping_server_answers_what_it_cancels(
    runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls, batch: bool
) -> None:
    count = BATCH_WIDTH + 5 if batch else 1
    one = '{"jsonrpc":"2.0","id":1,"method":"wait"}'
    text = "[" + ",".join([one] * count) + "]" if batch else one

    async def stop_in_the_middle() -> bytes | None:
        answering = asyncio.ensure_future(dispatcher.answer(text.encode()))
        await turns_of_the_loop()
        assert len(calls.seen) == min(count, BATCH_WIDTH)
        dispatcher.stop()
        answering.cancel()
        return await answering

    answer = orjson.loads(runner.run(stop_in_the_middle()) or b"")
    answers = answer if batch else [answer]

    assert [a["error"]["code"] for a in answers] == [ErrorCode.SHUTTING_DOWN] * count


def test_a_cancelled_batch_takes_its_requests_with_it(
    runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls
) -> None:
    text = "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"wait"}'] * 3) + "]"

    async def cancel_in_the_middle() -> int:
        answering = asyncio.ensure_future(dispatcher.answer(text.encode()))
        await turns_of_the_loop()
        assert len(calls.seen) == 3
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await turns_of_the_loop()
        return len(asyncio.all_tasks()) - 1

    assert runner.run(cancel_in_the_middle()) == 0
