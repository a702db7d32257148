"""An operation that is sent again after a lost answer leaves the store as one call leaves it.

Each operation that writes runs through a proxy that drops the answer and resets the connection, and is then sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.claim_types import Settlement
from hero_job.model.errors import HeroJobError, JobStateError, StoreUnavailable
from hero_job.model.overview.acts import ActKind
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.op import Op
from tests.chaos.proxy import Act, Proxy, StoreExchange
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lost_answers import CASES, Case, Deployment
from tests.valkey_server import ValkeyServer

OPERATIONS = Path(lua.__file__).parents[2] / "operations"
#: Commands of operations that change nothing, or that give a waiter an entry and leave it where it is.
READING = frozenset(
    {
        "BLMOVE", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "INFO", "LINDEX", "LLEN", "LPOS",
        "LRANGE", "PING", "PTTL", "SCAN", "SRANDMEMBER", "TIME", "XRANGE", "XREAD", "XREVRANGE", "ZCARD", "ZRANGE",
        "ZRANGEBYLEX", "ZREVRANGE", "ZSCORE",
    }
)  # fmt: skip
#: The first word of a command in the source of an operation.
COMMAND = re.compile(r"(?:Op\(|args: tuple\[Arg, \.\.\.\] = )\(\s*\"([A-Z]{3,})\"")
#: Scripts that write only what nobody can see, such as a value whose time is over.
QUIET = frozenset({lua.TICKS, lua.GET_VALUE, lua.VALUE_NAMES})
#: What is sent once and never again by the product, because a second call would count.
ONCE = {
    lua.ADD_TO_VALUE.name: "the script that adds learns of the lost answer",
    lua.LOG.name: "an actor drops the lines, because only results are worth the wait",
    "XADD": "the supervisor's own log keeps a change that the store may not have",
    "BLPOP": "an order that is lost is seen at the next look, in the job itself",
    "GETDEL": "a client whose nonce is used up asks for another",
}


@pytest.fixture(scope="module")
def proxy(valkey: ValkeyServer) -> Iterator[Proxy]:
    proxy = Proxy(valkey.port).start()
    yield proxy
    proxy.close()


def writes(op: Op[Any]) -> bool:
    if op.script is not None:
        return "Guarantee: reads only" not in source_of(op.script) and op.script not in QUIET
    return op.args[0] not in READING


def source_of(script: lua.LuaScript) -> str:
    return (Path(lua.__file__).parent / f"{script.name}.lua").read_text("utf-8")


def name_of(op: Op[Any]) -> str:
    return str(op.args[0]) if op.script is None else op.script.name


def play(d: Deployment, case: Case, meet: Callable[[Op[Any]], list[Any]]) -> None:
    """Run a case; `meet` runs each operation that writes, and gives its result."""

    def once(op: Op[Any]) -> Iterator[list[Op[Any]]]:
        yield [op]

    step = case(d)
    flow: Any = once(step) if isinstance(step, Op) else step
    results: list[Any] | None = None
    while True:
        try:
            ops = next(flow) if results is None else flow.send(results)
        except (StopIteration, HeroJobError):
            return
        results = []
        for op in ops:
            results += meet(op) if writes(op) else d.store.run_many([op])


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_an_operation_that_is_sent_again_leaves_the_store_as_one_call_does(
    case: Case, store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob,
    proxy: Proxy,
) -> None:  # fmt: skip
    d = Deployment(store, operations, make_actor(), make_job)
    repeated: list[str] = []

    def lose_and_repeat(op: Op[Any]) -> list[Any]:
        lose_answer(proxy, op)
        after_one = d.content()
        results = store.run_many([op])
        assert d.content() == after_one
        repeated.append(name_of(op))
        return results

    play(d, case, lose_and_repeat)

    assert repeated


def lose_answer(proxy: Proxy, op: Op[Any]) -> None:
    """Have the server run an operation whose answer does not come."""
    command = ["EVALSHA", "EVAL"] if op.script is not None else [str(op.args[0])]

    def fits(exchange: StoreExchange) -> bool:
        ran = not isinstance(exchange.reply, hiredis.ReplyError)
        return ran and exchange.command[0].decode() in command

    trap = proxy.trap(Act.DROP_REPLY, fits)
    with Store(proxy.url) as store, pytest.raises(StoreUnavailable):
        store.run(op)
    assert trap.caught


def flags_of(store: Store, command: str) -> list[str]:
    """What the server says about a command."""
    ((_, _, flags, *_),) = store.run(Op(("COMMAND", "INFO", command), list))
    return [str(flag) for flag in flags]


def test_every_operation_that_writes_is_in_the_table_or_is_sent_once(
    store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob
) -> None:
    sent = set(ONCE)
    for case in CASES.values():
        for key in store.run(Op(("KEYS", f"{operations.keys.prefix}*"), list)):
            store.run(Op(("DEL", key), int))

        def run(op: Op[Any]) -> list[Any]:
            sent.add(name_of(op))
            return store.run_many([op])

        play(Deployment(store, operations, make_actor(), make_job), case, run)
    scripts = {s.name for s in lua.ALL if "Guarantee: reads only" not in source_of(s) and s not in QUIET}
    commands: set[str] = set()
    for path in OPERATIONS.rglob("*.py"):
        commands |= set(
            re.findall(r"(?:Op\(|args: tuple\[Arg, \.\.\.\] = )\(\s*\"([A-Z]{3,})\"", path.read_text("utf-8"))
        )

    writing = {word for word in commands - READING if "write" in flags_of(store, word)}
    assert (scripts | writing) - sent == set()


def test_a_batch_that_is_created_again_loses_no_more_jobs(
    store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob
) -> None:
    d = Deployment(store, operations, make_actor(), make_job)
    jobs = [d.make_job(id="good"), d.make_job(id="lost", prerequisites=["ghost"])]
    for _ in range(3):
        created = store.drive(create_jobs(operations, jobs, batch_id="b"))
        assert created.refused.keys() == {"lost"}
    status = store.run(operations.batch("b"))
    assert status is not None
    assert (status.total, status.open) == (1, 1)

    d.create("ghost")
    store.drive(create_jobs(operations, jobs, batch_id="b"))
    status = store.run(operations.batch("b"))
    assert status is not None
    assert (status.total, status.open) == (2, 2)


def test_a_batch_whose_jobs_are_all_refused_ends_once_and_tells_who_waits(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    jobs = [make_job(id="lost", prerequisites=["ghost"])]
    for _ in range(2):
        store.drive(create_jobs(operations, jobs, batch_id="b"))

    keys = operations.keys
    assert store.wait_batch(operations, "b", 60).total == 0
    assert store.run(Op(("LLEN", keys.batch_reply("b")), int)) == 1
    assert store.run(Op(("PTTL", keys.batch_reply("b")), int)) > 0
    events = store.run(Op(("XRANGE", keys.events, "-", "+"), list))
    assert [fields for _, fields in events] == [["batch:b", "ended"]]


def store_ms(d: Deployment) -> int:
    seconds, microseconds = d.command("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


def test_an_act_that_is_repeated_runs_no_job_a_third_time(
    store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob
) -> None:
    d = Deployment(store, operations, make_actor(), make_job)
    d.fail()
    failed_ms = store_ms(d)
    began_at = str(d.command("HGET", operations.keys.job("j"), "updated_at"))
    store.drive(d.acts.do(ActKind.RETRY, ["j"], None, began_at))  # Its answer is lost,
    job = store.run(d.actor.turn(0, [], 1)).jobs[0]  # the job fails again,
    eventually(lambda: store_ms(d) > failed_ms)
    store.run(d.actor.turn(0, [Settlement(job.id, job.attempt, JobStatus.ERROR, error="e")], 0))

    ((_, refusal),) = store.drive(d.acts.do(ActKind.RETRY, ["j"], None, began_at))  # and the act goes on.

    assert isinstance(refusal, JobStateError)
    assert store.run(operations.status("j")) is JobStatus.ERROR
