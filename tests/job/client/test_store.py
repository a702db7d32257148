"""The store as submitters see it: one contract for the synchronous and the asyncio store."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from hero_job import (
    JobConflict,
    JobDamaged,
    JobNotFound,
    JobStateError,
    JobStatus,
    ScriptType,
    StoreRefused,
    StoreUnavailable,
    WaitTimeout,
)
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Settlement
from hero_job.operations.operations import Op, Operations
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.valkey_server import ValkeyServer, free_port

Run = Callable[[Op[Any]], Any]


@pytest.fixture(params=["sync", "asyncio"])
def run(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Iterator[Run]:
    if request.param == "sync":
        with Store(valkey.url) as store:
            yield store.run
    else:
        with asyncio.Runner() as runner:

            async def make() -> AsyncStore:
                return AsyncStore(valkey.url)

            store_aio = runner.run(make())
            yield lambda op: runner.run(store_aio.run(op))
            runner.run(store_aio.aclose())


def test_a_created_job_is_read_back_with_all_its_fields(run: Run, operations: Operations, make_job: MakeJob) -> None:
    job = make_job(env_vars={"K": "v"}, timeout=7, log_path="x.log", group="io")

    assert run(operations.create(job)) == job.id

    record = run(operations.record(job.id))
    assert record.job == job
    assert (record.status, record.attempt, record.output) == (JobStatus.CREATED, 0, None)
    age_s = (datetime.now(UTC) - datetime.fromisoformat(record.created_at)).total_seconds()
    assert -60 < age_s < 60
    assert run(operations.admin.queue_length(ScriptType.OSIS, "io")) == 0


def test_the_same_job_created_twice_is_one_job(run: Run, operations: Operations, make_job: MakeJob) -> None:
    job = make_job(id="same")
    run(operations.create(job))

    assert run(operations.create(make_job(id="same"))) == "same"


def test_the_order_of_environment_variables_makes_no_other_job(
    run: Run, operations: Operations, make_job: MakeJob
) -> None:
    run(operations.create(make_job(id="same", env_vars={"A": "1", "B": "2"})))

    assert run(operations.create(make_job(id="same", env_vars={"B": "2", "A": "1"}))) == "same"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"script": "1"}, "script"), ({"timeout": 5}, "timeout"), ({"env_vars": {"A": "1"}}, "env_vars"),
     ({"log_path": "l"}, "log_path"), ({"group": "g"}, "group")],
)  # fmt: skip
def test_an_id_with_different_content_is_refused(
    run: Run, operations: Operations, make_job: MakeJob, change: dict[str, Any], field: str
) -> None:
    run(operations.create(make_job(id="same")))

    with pytest.raises(JobConflict) as refused:
        run(operations.create(make_job(id="same", **change)))

    assert refused.value.field == field


def test_leaving_a_field_out_the_second_time_is_a_conflict(run: Run, operations: Operations, make_job: MakeJob) -> None:
    run(operations.create(make_job(id="same", log_path="l")))

    with pytest.raises(JobConflict, match="log_path"):
        run(operations.create(make_job(id="same")))


def test_a_job_can_be_started_once(run: Run, operations: Operations, make_job: MakeJob) -> None:
    job = make_job()
    run(operations.create(job))
    run(operations.start(job.id))

    with pytest.raises(JobStateError) as refused:
        run(operations.start(job.id))

    assert (refused.value.status, refused.value.action) == ("dispatched", "start")
    assert run(operations.admin.queue_length(ScriptType.OSIS)) == 1


def test_a_submission_sent_again_queues_once(run: Run, operations: Operations, make_job: MakeJob) -> None:
    job = make_job()
    for _ in range(3):
        assert run(operations.create(job, start=True)) == job.id

    assert run(operations.admin.queue_length(ScriptType.OSIS)) == 1


def test_submitting_a_job_that_was_only_created_queues_it(run: Run, operations: Operations, make_job: MakeJob) -> None:
    job = make_job()
    run(operations.create(job))
    run(operations.create(job, start=True))

    assert run(operations.status(job.id)) is JobStatus.DISPATCHED
    assert run(operations.admin.queue_length(ScriptType.OSIS)) == 1


@pytest.mark.parametrize("name", ["start", "status", "output", "record", "outcome", "delete"])
def test_every_operation_refuses_an_unknown_id(run: Run, operations: Operations, name: str) -> None:
    with pytest.raises(JobNotFound) as unknown:
        run(getattr(operations, name)("nobody"))

    assert unknown.value.job_id == "nobody"


@pytest.mark.parametrize("name", ["start", "status", "output", "record", "outcome"])
def test_a_key_that_is_not_a_hash_is_a_damaged_job(run: Run, operations: Operations, name: str) -> None:
    run(Op(("SET", operations.keys.job("odd"), "x"), lambda a: a))

    with pytest.raises(JobDamaged) as damaged:
        run(getattr(operations, name)("odd"))

    assert damaged.value.job_id == "odd"


def test_a_deleted_job_does_not_exist_and_its_id_in_the_queue_is_dropped(
    run: Run, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    job, other = make_job(), make_job()
    run(operations.create(job, start=True))
    run(operations.create(other, start=True))
    run(operations.delete(job.id))

    with pytest.raises(JobNotFound):
        run(operations.status(job.id))
    turn = run(make_actor().turn(0, [], 10))
    assert [j.id for j in turn.jobs] == [other.id]
    with pytest.raises(JobNotFound):
        run(operations.status(job.id))


def test_a_running_job_cannot_be_deleted(
    run: Run, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    job = make_job()
    run(operations.create(job, start=True))
    run(make_actor().turn(0, [], 1))

    with pytest.raises(JobStateError, match="started"):
        run(operations.delete(job.id))


def test_the_pages_list_every_job_and_name_the_damaged_ones(
    run: Run, operations: Operations, make_job: MakeJob
) -> None:
    ids = {run(operations.create(make_job(id=f"j{n}"))) for n in range(250)}
    run(Op(("SET", operations.keys.job("odd"), "x"), lambda a: a))
    run(Op(("HSET", operations.keys.job("odd2"), "script", "1"), lambda a: a))

    found, damaged, cursor = set(), set(), ""
    while True:
        page = run(operations.admin.page(cursor, 20))
        found |= {r.job.id for r in page.records}
        damaged |= {job_id for job_id, _ in page.damaged}
        cursor = page.cursor
        if not cursor:
            break

    assert found == ids
    assert damaged == {"odd", "odd2"}


def test_a_server_that_forgot_the_scripts_gets_them_again(run: Run, operations: Operations, make_job: MakeJob) -> None:
    run(Op(("SCRIPT", "FLUSH"), lambda a: a))

    assert run(operations.create(make_job(id="again"))) == "again"


def test_an_unreachable_server_is_reported_with_the_url_and_without_the_password(operations: Operations) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/"

    with Store(url) as store, pytest.raises(StoreUnavailable) as failure:
        store.run(operations.ping())
    assert "127.0.0.1" in str(failure.value)
    assert "secret" not in str(failure.value)

    async def main() -> None:
        async with AsyncStore(url) as store_aio:
            await store_aio.run(operations.ping())

    with pytest.raises(StoreUnavailable) as failure:
        asyncio.run(main())
    assert "secret" not in str(failure.value)


def test_a_full_server_refuses_with_the_code_oom(
    own_valkey: ValkeyServer, operations: Operations, make_job: MakeJob
) -> None:
    own_valkey.command("CONFIG", "SET", "maxmemory", "1")

    with Store(own_valkey.url) as store, pytest.raises(StoreRefused) as refused:
        store.run(operations.create(make_job()))
    assert refused.value.code == "OOM"

    async def main() -> None:
        async with AsyncStore(own_valkey.url) as store_aio:
            await store_aio.run(operations.create(make_job()))

    with pytest.raises(StoreRefused) as refused:
        asyncio.run(main())
    assert refused.value.code == "OOM"


def test_a_wait_ends_in_time_and_says_that_the_job_goes_on(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    job = make_job()
    store.run(operations.create(job, start=True))

    with pytest.raises(WaitTimeout, match="it goes on"):
        store.wait_reply(operations, job.id, 0.05)


def test_waiting_for_an_unknown_job_is_an_error_immediately(
    valkey: ValkeyServer, store: Store, operations: Operations
) -> None:
    with pytest.raises(JobNotFound):
        store.wait_reply(operations, "nobody", 3600)

    async def main() -> None:
        async with AsyncStore(valkey.url) as store_aio:
            await store_aio.wait_reply(operations, "nobody", 3600)

    with pytest.raises(JobNotFound):
        asyncio.run(main())


def test_several_waiters_get_the_same_reply_and_it_stays(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    job = make_job()
    store.run(operations.create(job, start=True))
    actor = make_actor()

    async def main() -> list[str]:
        waits = [asyncio.to_thread(store.wait_reply, operations, job.id, 30) for _ in range(5)]
        tasks = [asyncio.create_task(w) for w in waits]
        (claimed,) = store.run(actor.turn(0, [], 1)).jobs
        store.run(actor.turn(0, [Settlement(job.id, claimed.attempt, JobStatus.FINISHED, "42")], 0))
        return [(await t).result() for t in tasks]

    assert asyncio.run(main()) == ["42"] * 5
    assert store.run(Op(("LLEN", operations.keys.reply(job.id)), int)) == 1
    assert store.run(Op(("PTTL", operations.keys.reply(job.id)), int)) > 0


def test_a_thousand_asyncio_waiters_share_a_handful_of_connections(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    jobs = [make_job() for _ in range(1000)]
    for job in jobs:
        store.run(operations.create(job, start=True))
    actor = make_actor()

    async def main() -> tuple[int, list[str]]:
        before = int(str(valkey.command("INFO", "clients")).partition("connected_clients:")[2].split()[0])
        async with AsyncStore(valkey.url, max_connections=4) as waiting:
            tasks = [asyncio.create_task(waiting.wait_reply(operations, job.id, 60)) for job in jobs]
            settlements: list[Settlement] = []
            most = 0
            while True:
                turn = await waiting.run(actor.turn(0, settlements, 64))
                settlements = [Settlement(j.id, j.attempt, JobStatus.FINISHED, j.id) for j in turn.jobs]
                now = int(str(valkey.command("INFO", "clients")).partition("connected_clients:")[2].split()[0])
                most = max(most, now - before)
                if not settlements:
                    break
            return most, [(await t).result() for t in tasks]

    connections, outputs = asyncio.run(main())
    assert outputs == [job.id for job in jobs]
    assert connections <= 6


def test_an_idle_connection_that_the_server_closed_is_replaced_before_use(
    own_valkey: ValkeyServer, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hero_job.client.store._IDLE_S", 0)
    with Store(own_valkey.url) as store:
        store.run(operations.ping())
        own_valkey.kill()
        own_valkey.start()

        store.run(operations.ping())


@pytest.mark.parametrize("runner", ["sync", "asyncio"])
def test_a_wait_survives_a_restart_of_the_server(
    own_valkey: ValkeyServer, namespace: str, operations: Operations, make_job: MakeJob, runner: str
) -> None:
    job = make_job()
    with Store(own_valkey.url) as store:
        store.run(operations.create(job, start=True))

    def wait() -> str:
        if runner == "sync":
            with Store(own_valkey.url) as waiting:
                return waiting.wait_reply(operations, job.id, 60).result()

        async def main() -> str:
            async with AsyncStore(own_valkey.url) as waiting:
                return (await waiting.wait_reply(operations, job.id, 60)).result()

        return asyncio.run(main())

    with ThreadPoolExecutor() as pool:
        waited = pool.submit(wait)
        eventually(lambda: "blocked_clients:1" in str(own_valkey.command("INFO", "clients")))
        own_valkey.kill()
        own_valkey.start()
        entry = ActorEntry(
            incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e",
            engine_version="1",
        )  # fmt: skip
        actor = ActorOperations(entry, namespace)
        with Store(own_valkey.url) as store:
            store.run(actor.join())
            (claimed,) = store.run(actor.turn(0, [], 1)).jobs
            store.run(actor.turn(0, [Settlement(job.id, claimed.attempt, JobStatus.FINISHED, "42")], 0))

        assert waited.result(60) == "42"


def test_a_wait_fails_if_the_server_stays_away(own_valkey: ValkeyServer, operations: Operations) -> None:
    own_valkey.kill()

    with Store(own_valkey.url) as store, pytest.raises(StoreUnavailable):
        store.wait_reply(operations, "j", 0.2)


def test_a_server_that_resets_every_connection_is_unavailable(operations: Operations) -> None:
    """Under uvloop redis-py raises a bare RuntimeError if the peer resets the connection during the login."""

    def reset_all(listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        resetting = pool.submit(reset_all, listener)

        async def main() -> None:
            async with AsyncStore(f"redis://127.0.0.1:{listener.getsockname()[1]}") as store:
                for _ in range(300):
                    with pytest.raises(StoreUnavailable):
                        await store.run(operations.ping())

        uvloop.run(main())
        listener.shutdown(socket.SHUT_RDWR)
        resetting.result(10)
