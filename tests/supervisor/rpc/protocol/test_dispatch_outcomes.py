"""The dispatcher: what is admitted, what a full answer holds, what the witness is told, and errors about actors."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from hero_job.model import errors as job_errors
from hero_supervisor import errors
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.protocol.calls import Calls, ask, result, turns_of_the_loop


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
