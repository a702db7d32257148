"""The dispatcher: the examples of the specification, both parameter styles, and one answer for every request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
import pytest
from pydantic import Field

from hero_job.model import errors as job_errors
from hero_job.model.objects import errors as object_errors
from hero_supervisor import errors
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.dispatch import BATCH_WIDTH, Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode


class Calls:
    """The methods of the specification's examples, and some that misbehave."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def subtract(self, minuend: int, subtrahend: int) -> int:
        return minuend - subtrahend

    async def update(self, *values: int) -> None:
        self.seen.append(("update", values))

    async def foobar(self) -> None:
        self.seen.append("foobar")

    async def sum(self, *values: int) -> int:
        return sum(values)

    async def notify_hello(self, value: int) -> None:
        self.seen.append(("notify_hello", value))

    async def get_data(self) -> list[Any]:
        return ["hello", 5]

    async def typed(self, name: Annotated[str, Field(min_length=1)], count: Annotated[int, Field(ge=1)] = 1) -> str:
        return name * count

    async def broken(self) -> None:
        raise ZeroDivisionError("secret detail")

    async def unencodable(self) -> object:
        return object()

    async def wait(self) -> None:
        self.seen.append("waiting")
        await asyncio.get_running_loop().create_future()


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def dispatcher(calls: Calls) -> Dispatcher:
    dispatcher = Dispatcher(max_batch=300)
    for name in (
        "subtract",
        "update",
        "foobar",
        "sum",
        "notify_hello",
        "get_data",
        "typed",
        "broken",
        "unencodable",
        "wait",
    ):
        dispatcher.register(name, getattr(calls, name))
    return dispatcher


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def ask(runner: asyncio.Runner, dispatcher: Dispatcher, text: str) -> Any:
    answer = runner.run(dispatcher.answer(text.encode()))
    return None if answer is None else orjson.loads(answer)


def without_details(answer: Any) -> Any:
    """Reduce errors to their codes, because the specification does not prescribe texts."""
    if isinstance(answer, list):
        return [without_details(item) for item in answer]
    if isinstance(answer, dict) and "error" in answer:
        return {**answer, "error": answer["error"]["code"]}
    return answer


def error(code: int, request_id: object = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": code}


def result(value: object, request_id: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


async def turns_of_the_loop() -> None:
    """Let all tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


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


def test_a_batch_answer_may_be_exactly_as_long_as_allowed_and_a_short_answer_beyond_that_is_kept(
    runner: asyncio.Runner, calls: Calls
) -> None:
    def one(request_id: int, size: int) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request_id, "method": "typed", "params": ["x" * size]}

    size = len(orjson.dumps(result("x" * 400, 1)))
    dispatcher = Dispatcher(max_batch_answer_bytes=2 * size)
    dispatcher.register("typed", calls.typed)

    def answers(*requests: dict[str, Any]) -> list[bool]:
        batch = ask(runner, dispatcher, orjson.dumps(requests).decode())
        assert all(a["error"]["data"]["kind"] == "answer_too_large" for a in batch if "error" in a)
        return ["result" in a for a in batch]

    assert answers(one(1, 400), one(2, 400)) == [True, True]
    assert answers(one(1, 400), one(2, 401)) == [True, False]
    assert answers(one(1, 400), one(2, 400), one(3, 1)) == [True, True, False], "the answer is full already"
    assert answers(one(1, 400), one(2, 380), one(3, 10)) == [True, True, True], "shorter than the error would be"
    assert answers(one(1, 400), one(2, 401), one(3, 1)) == [True, False, False], "nothing is run after the overflow"


def test_a_byte_order_mark_before_a_message_is_ignored(runner: asyncio.Runner, dispatcher: Dispatcher) -> None:
    text = '\ufeff{"jsonrpc":"2.0","id":1,"method":"sum","params":[1,2]}'

    assert ask(runner, dispatcher, text) == result(3, 1)


@pytest.mark.parametrize("batch", [False, True])
def test_a_request_that_is_not_admitted_is_answered_with_the_reason_and_not_carried_out(
    runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls, batch: bool
) -> None:
    def admit(request: wire.Request) -> None:
        if request.method in {"foobar", "unknown"}:
            raise wire.shutting_down()
        request.params = [20, 1]  # it may change what it lets pass

    one = '{"jsonrpc":"2.0","id":1,"method":"%s"}'
    texts = [one % name for name in ("foobar", "unknown", "subtract")]
    ways = [f"[{text}]" if batch else text for text in texts]
    answers = [orjson.loads(runner.run(dispatcher.answer(way.encode(), admit)) or b"") for way in ways]
    singles = [answer[0] if batch else answer for answer in answers]

    assert [a.get("error", {}).get("code") for a in singles] == [ErrorCode.SHUTTING_DOWN, ErrorCode.SHUTTING_DOWN, None]
    assert singles[2]["result"] == 19
    assert calls.seen == []


def test_the_witness_is_told_of_each_request_and_how_it_ended(runner: asyncio.Runner, dispatcher: Dispatcher) -> None:
    seen: list[tuple[str, str]] = []

    async def witness(request: wire.Request, outcome: str) -> None:
        seen.append((request.method, outcome))

    async def refuse() -> None:
        raise job_errors.JobNotFound("j")

    dispatcher.witness = witness
    dispatcher.register("refuse", refuse)
    for method in ("foobar", "refuse", "broken", "typed", "unknown"):
        ask(runner, dispatcher, f'{{"jsonrpc":"2.0","id":1,"method":"{method}"}}')
    ask(runner, dispatcher, '{"jsonrpc":"2.0","method":"foobar"}')

    assert seen == [
        ("foobar", "ok"), ("refuse", "job_not_found"), ("broken", "internal_error"), ("typed", "invalid_params"),
        ("unknown", "method_not_found"), ("foobar", "ok"),
    ]  # fmt: skip


def test_the_witness_is_told_of_a_request_whose_client_has_gone(
    runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls
) -> None:
    seen: list[tuple[str, str]] = []

    async def witness(request: wire.Request, outcome: str) -> None:
        seen.append((request.method, outcome))

    async def hang_up() -> None:
        answering = asyncio.ensure_future(dispatcher.answer(b'{"jsonrpc":"2.0","id":1,"method":"wait"}'))
        await turns_of_the_loop()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await turns_of_the_loop()

    dispatcher.witness = witness
    runner.run(hang_up())

    assert calls.seen == ["waiting"]
    assert seen == [("wait", "cancelled")]


def test_a_stopping_server_begins_no_request(runner: asyncio.Runner, dispatcher: Dispatcher, calls: Calls) -> None:
    dispatcher.stop()

    answer = ask(runner, dispatcher, '{"jsonrpc":"2.0","id":1,"method":"foobar"}')

    assert (answer["error"]["code"], calls.seen) == (ErrorCode.SHUTTING_DOWN, [])


def test_the_methods_keep_the_order_in_which_they_were_registered_and_their_error_codes() -> None:
    calls, dispatcher = Calls(), Dispatcher()
    dispatcher.register("b", calls.foobar, error_codes=[ErrorCode.JOB_STATE])
    dispatcher.register("a", calls.typed)

    assert list(dispatcher.methods) == ["b", "a"]
    assert dispatcher.methods["b"].error_codes == (ErrorCode.JOB_STATE,)
    assert dispatcher.methods["a"].error_codes == ()
    assert list(dispatcher.methods["a"].parameter_names) == ["name", "count"]


@pytest.mark.parametrize("size", [wire.LARGE_BYTES - 100, wire.LARGE_BYTES * 3])
def test_a_large_message_is_answered_like_a_small_one(
    runner: asyncio.Runner, dispatcher: Dispatcher, size: int
) -> None:
    text = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "typed", "params": ["x" * size]}).decode()

    assert ask(runner, dispatcher, text)["result"] == "x" * size
    assert ask(runner, dispatcher, f"[{text}]")[0]["result"] == "x" * size


def test_others_have_their_turn_while_a_large_message_is_looked_at(
    runner: asyncio.Runner, dispatcher: Dispatcher
) -> None:
    text = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "typed", "params": ["x" * wire.LARGE_BYTES * 10]})

    async def main() -> int:
        answering = asyncio.ensure_future(dispatcher.answer(text))
        turns = 0
        while not answering.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert runner.run(main()) > 10


FLEET_ERRORS = [
    (errors.ActorUnknown("a", ("b",)), ErrorCode.ACTOR_NOT_FOUND, "actor_not_found", {"name": "a", "known": ["b"]}),
    (errors.ActorElsewhere("a", "h"), ErrorCode.ACTOR_ELSEWHERE, "actor_elsewhere", {"name": "a", "host": "h"}),
    (
        errors.FunctionsUnknown("a", "no"),
        ErrorCode.FUNCTIONS_UNKNOWN,
        "functions_unknown",
        {"name": "a", "reason": "no"},
    ),
    (errors.ScaleRefused("a", "no"), ErrorCode.SCALE_REFUSED, "scale_refused", {"name": "a", "reason": "no"}),
    (errors.ReloadRefused(("p",)), ErrorCode.RELOAD_REFUSED, "reload_refused", {"problems": ["p"]}),
    (
        errors.RollStopped("a.0", "no", ("a.1",), ("a.2",)),
        ErrorCode.ROLL_STOPPED,
        "roll_stopped",
        {"slot": "a.0", "reason": "no", "kept": ["a.1"], "replaced": ["a.2"]},
    ),
    (errors.NotSupervised(), ErrorCode.NOT_SUPERVISED, "not_supervised", {}),
]


@pytest.mark.parametrize(("raised", "code", "kind", "data"), FLEET_ERRORS, ids=lambda value: type(value).__name__)
def test_errors_about_actor_processes_have_a_code_a_kind_and_say_what_to_do(
    runner: asyncio.Runner,
    dispatcher: Dispatcher,
    raised: errors.FleetError,
    code: ErrorCode,
    kind: str,
    data: dict[str, Any],
) -> None:
    async def fail() -> None:
        raise raised

    dispatcher.register("fail", fail)
    answer = ask(runner, dispatcher, '{"jsonrpc":"2.0","id":1,"method":"fail"}')["error"]

    assert (answer["code"], answer["data"]["kind"]) == (code, kind)
    assert answer["message"] == str(raised)
    assert answer["data"]["hint"]
    assert data.items() <= answer["data"].items()
