"""The Python API through a supervisor: the same calls as on the store, over each transport, sync and async."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hero_client import AsyncSupervisor, Supervisor, SupervisorBuilder
from hero_client.remote.async_supervisor import AsyncRemoteSupervisor
from hero_client.remote.errors import ServerUnusable, ServiceRefused, ServiceUnreachable, StoreNeeded
from hero_client.remote.links import REST_S
from hero_client.remote.repeats import REPEATABLE, may_repeat
from hero_client.remote.supervisor import RemoteSupervisor
from hero_job import JobBuilder, JobFailed, JobNotFound
from hero_job.model.errors import WaitTimeout
from hero_job.model.job import Job, ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.credentials import token_hash
from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.description.enrich import repeat_of
from hero_supervisor.rpc.emit.document import whole_document
from hero_supervisor.rpc.tcp.uvicorn_protocol import KEEP_ALIVE_S
from tests.deployment import ACTORS, LONG_LEASE_S, Deployment, deployed
from tests.supervisor.rpc.lossy_relay import LossyRelay
from tests.valkey_server import free_port

TOKEN = "a token for tests"
TRANSPORTS = ("unix", "http", "ws")
#: What only the store can tell.
EXAMPLE = Path(__file__).parents[2] / "clients/python/example.py"
GO = Path(__file__).parents[2] / "clients/go"
#: What a build, or a download of modules, may take on a busy machine.
GO_BUILD_S = 900
OF_THE_STORE = {
    "walk_jobs", "list_waiting", "list_delayed", "list_blocked", "list_active", "get_backlog", "get_counts",
    "get_running",
}  # fmt: skip


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    port = free_port()
    known = f'port = {port}\ntokens = [{{ name = "ops", scope = "admin", sha256 = "{token_hash(TOKEN)}" }}]'
    with deployed(tmp_path_factory.mktemp("remote"), actors=known + ACTORS, lease_s=LONG_LEASE_S) as running:
        running.port = port
        yield running


def builder(deployment: Deployment, transport: str, port: int = 0) -> SupervisorBuilder:
    where = f"//{deployment.socket}" if transport == "unix" else f"//127.0.0.1:{port or deployment.port}"
    return SupervisorBuilder().url(f"{transport}:{where}").token(TOKEN)


def job(script: str = "40 + 2", **fields: Any) -> Job:
    made = JobBuilder().caller_id("alice").context_id("shop").script_type(ScriptType.SAL).script(script)
    for name, value in fields.items():
        made = getattr(made, name)(value)
    return made.build()


class Awaited:
    """The calls of an asynchronous client, each in a loop of its own."""

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with self._supervisor:
                return await getattr(self._supervisor, name)(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(call(*args, **kwargs))


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client(made: SupervisorBuilder, kind: str) -> Any:
    return made.build() if kind == "sync" else Awaited(made.build_async())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_calls_do_what_they_do_on_the_store(deployment: Deployment, transport: str, kind: str) -> None:
    supervisor = client(builder(deployment, transport), kind)
    one = job(retries=1, env_vars={"A": "b"})

    assert supervisor.run_job_and_await_result(one) == "42"
    assert supervisor.submit_job(one) == one.id  # the same job again is the same job
    record = supervisor.get_job(one.id)
    assert (record.job, record.status, record.output) == (one, JobStatus.FINISHED, "42")
    with pytest.raises(JobFailed) as failed:
        supervisor.run_job_and_await_result(job('let x = 1;\nthrow "no such report"'))
    assert (failed.value.kind, failed.value.line) == ("ErrorRuntime", 2)
    with pytest.raises(JobNotFound, match="nowhere"):
        supervisor.get_job_status("nowhere")
    waits = job()
    assert supervisor.create_job(waits) == waits.id
    with pytest.raises(WaitTimeout):
        supervisor.await_result(waits.id, 0.0)
    assert supervisor.start_job(waits.id) is None
    assert supervisor.await_result(waits.id, 300.0) == "42"
    made = supervisor.create_jobs([job("1"), job("2")])
    assert (supervisor.await_batch(made.batch_id, 300.0).finished, made.refused) == (2, {})
    listed = supervisor.list_batches(count=1)
    assert [(batch.status.batch_id, batch.status.finished) for batch in listed.batches] == [(made.batch_id, 2)]
    assert listed.cursor
    assert [attempt.outcome for attempt in supervisor.get_job_attempts(one.id)] == ["finished"]
    assert supervisor.ask("version")["name"] == "hero-runtime"
    supervisor.ping()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_schedule_is_paused_and_resumed_as_on_the_store(deployment: Deployment, transport: str, kind: str) -> None:
    supervisor = client(builder(deployment, transport), kind)
    fields = {"caller_id": "alice", "context_id": "shop", "script": "1", "script_type": "SAL"}

    supervisor.put_schedule(Schedule(name="yearly", job=fields, cron="0 0 1 1 *"))
    assert (supervisor.pause_schedule("yearly"), supervisor.pause_schedule("yearly")) == (True, False)
    assert supervisor.next_ticks(["yearly"]) == [None]
    next_ms = supervisor.resume_schedule("yearly")
    assert supervisor.next_ticks(["yearly"]) == [next_ms]
    assert supervisor.resume_schedule("yearly") == next_ms
    assert supervisor.delete_schedule("yearly")
    assert (supervisor.pause_schedule("yearly"), supervisor.resume_schedule("yearly")) == (False, None)


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_a_lost_answer_repeats_a_call_only_if_that_changes_nothing(
    deployment: Deployment, transport: str, kind: str
) -> None:
    one = job()
    with LossyRelay(deployment.port) as relay:
        supervisor = client(builder(deployment, transport, relay.port), kind)
        relay.lose_next_answer()
        assert supervisor.submit_job(one) == one.id
        assert supervisor.await_result(one.id, 300.0) == "42"
        relay.lose_next_answer()
        assert supervisor.get_job_status(one.id) is JobStatus.FINISHED
        relay.lose_next_answer()
        with pytest.raises(ServiceUnreachable):
            supervisor.delete_job(one.id)
        impatient = client(builder(deployment, transport, relay.port).patience(0.0), kind)
        relay.lose_next_answer()
        with pytest.raises(ServiceUnreachable):
            impatient.ping()
        lost = relay.lost

    assert lost == 4


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_supervisor_that_is_not_there_or_refuses_the_token_is_an_error_that_says_so(
    deployment: Deployment, transport: str, kind: str
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        port = deaf.getsockname()[1]
        url = "unix:///nowhere/hero.ipc" if transport == "unix" else f"{transport}://127.0.0.1:{port}"
        with pytest.raises(ServiceUnreachable, match="cannot be reached"):
            client(SupervisorBuilder().url(url).patience(0.0), kind).ping()
    if transport != "unix":  # there the kernel says who asks
        with pytest.raises(ServiceRefused) as refused:
            client(builder(deployment, transport).token("of nobody"), kind).list_actors()
        assert refused.value.code in {1301, 1303}  # the second after ten wrong tokens from one address


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_runs_over_each_kind_of_url(deployment: Deployment, transport: str) -> None:
    url = f"unix://{deployment.socket}" if transport == "unix" else f"{transport}://127.0.0.1:{deployment.port}"
    command = [sys.executable, str(EXAMPLE), url, TOKEN]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["output: 42", "failed in line 2: ErrorRuntime", "squares: 0 1 4 9 16"]


@pytest.fixture(scope="module")
def go_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    built = tmp_path_factory.mktemp("go") / "example"
    # It needs no other module, and must not look for a newer Go.
    offline = os.environ | {
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    command = [go, "build", "-o", str(built), "./example"]
    done = subprocess.run(command, cwd=GO, env=offline, capture_output=True, text=True, check=False, timeout=GO_BUILD_S)
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.timeout(2 * GO_BUILD_S)
@pytest.mark.parametrize("transport", ["unix", "http"])
def test_the_example_for_go_runs(deployment: Deployment, go_example: Path, transport: str) -> None:
    url = f"unix://{deployment.socket}" if transport == "unix" else f"http://127.0.0.1:{deployment.port}"

    done = subprocess.run([go_example, url, TOKEN], capture_output=True, text=True, check=False, timeout=500)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["output: 42", "failed in line 2: ErrorRuntime", "later: 42"]


@pytest.fixture(scope="module")
def geth_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example on go-ethereum's client, whose modules come from the proxy of Go or from its cache."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    built = tmp_path_factory.mktemp("geth") / "example"
    environ = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}

    def ran(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [go, *command], cwd=GO / "geth_example", env=environ, capture_output=True, text=True, check=False,
            timeout=GO_BUILD_S,
        )  # fmt: skip

    fetched = ran("mod", "download", "github.com/ethereum/go-ethereum")
    if fetched.returncode:
        pytest.skip(f"the modules of go-ethereum cannot be had: {fetched.stderr.strip()[-300:]}")
    done = ran("build", "-o", str(built), ".")
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.timeout(3 * GO_BUILD_S)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_for_the_client_of_go_ethereum_runs(
    deployment: Deployment, geth_example: Path, transport: str
) -> None:
    url = f"unix://{deployment.socket}" if transport == "unix" else f"{transport}://127.0.0.1:{deployment.port}"

    done = subprocess.run([geth_example, url, TOKEN], capture_output=True, text=True, check=False, timeout=500)

    assert done.returncode == 0, done.stderr
    calls, events = done.stdout.splitlines()[:3], done.stdout.splitlines()[3:]
    assert calls == ["output: 42", "failed in line 2: ErrorRuntime", "batch: hero-runtime job_not_found"]
    if transport == "http":
        assert events == ["no subscriptions over HTTP"]
    else:
        assert (events[0], events[-1]) == ("event: created", "event: finished")


def test_many_calls_of_one_loop_wait_together(deployment: Deployment) -> None:
    async def run() -> list[str]:
        async with builder(deployment, "http").build_async() as supervisor:
            return await asyncio.gather(*(supervisor.run_job_and_await_result(job(str(n))) for n in range(20)))

    assert asyncio.run(run()) == [str(n) for n in range(20)]


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_calls_one_after_another_share_a_connection(deployment: Deployment, transport: str) -> None:
    async def run(supervisor: AsyncSupervisor) -> None:
        async with supervisor:
            for _ in range(20):
                await supervisor.ping()

    with LossyRelay(deployment.port) as relay:
        with builder(deployment, transport, relay.port).build() as supervisor:
            for _ in range(20):
                supervisor.ping()
        asyncio.run(run(builder(deployment, transport, relay.port).build_async()))
        accepted = relay.accepted

    assert accepted == 2


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_a_connection_that_was_cut_while_it_rested_fails_no_call(deployment: Deployment, transport: str) -> None:
    first, second = job(), job()

    async def run(relay: LossyRelay) -> None:
        async with builder(deployment, transport, relay.port).patience(0.0).build_async() as supervisor:
            await supervisor.ping()
            await asyncio.to_thread(relay.cut_all)
            await supervisor.delete_job(second.id)

    with deployment.supervisor() as on_the_store:
        on_the_store.create_job(first)
        on_the_store.create_job(second)
    with LossyRelay(deployment.port) as relay:
        with builder(deployment, transport, relay.port).patience(0.0).build() as supervisor:
            supervisor.ping()
            relay.cut_all()
            supervisor.delete_job(first.id)  # which is not repeated
        asyncio.run(run(relay))
        accepted = relay.accepted

    assert accepted == 4


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_answer_to_a_call_that_was_given_up_is_never_that_to_the_next_one(
    deployment: Deployment, transport: str
) -> None:
    waits = job()

    async def run() -> list[str]:
        supervisor: Any = builder(deployment, transport).patience(0.0).build_async()
        async with supervisor:
            given_up = asyncio.create_task(supervisor.await_result(waits.id, 300.0))
            await supervisor.ping()
            given_up.cancel()
            return [(await supervisor.ask("version"))["name"] for _ in range(3)]

    supervisor: Any = builder(deployment, transport).patience(0.0).build()
    with supervisor:
        supervisor.create_job(waits)
        with pytest.raises(ServiceUnreachable, match="no answer"):
            supervisor.ask("wait_jobs", {"job_ids": [waits.id], "timeout": 30}, wait_s=0.2)
        assert supervisor.ask("version")["name"] == "hero-runtime"

    assert asyncio.run(run()) == ["hero-runtime"] * 3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_threads_and_a_forked_child_share_a_client(deployment: Deployment, transport: str) -> None:
    with builder(deployment, transport).build() as supervisor:

        def ask_twenty_times(n: int) -> list[str]:
            return [supervisor.run_job_and_await_result(job(str(n * 100 + i))) for i in range(20)]

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(ask_twenty_times, range(4)))
        child = multiprocessing.get_context("fork").Process(target=supervisor.ping)
        child.start()
        child.join()
        supervisor.ping()

    assert answers == [[str(n * 100 + i) for i in range(20)] for n in range(4)]
    assert child.exitcode == 0


def test_the_client_lets_go_of_a_connection_before_the_supervisor_does() -> None:
    assert REST_S < KEEP_ALIVE_S


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/", "rediss://127.0.0.1:1/", "redis+cluster://127.0.0.1:1/"])
def test_the_url_of_a_store_makes_a_client_of_the_store(url: str) -> None:
    with SupervisorBuilder().url(url).build() as supervisor:
        assert type(supervisor) is Supervisor


def test_the_url_of_a_supervisor_makes_a_client_without_a_store() -> None:
    supervisor: Any = SupervisorBuilder().url("https://host:8443").build()

    assert type(supervisor) is RemoteSupervisor
    for name in ("store", "operations", "schedules"):
        with pytest.raises(StoreNeeded):
            getattr(supervisor, name)
    with pytest.raises(ServerUnusable, match="not the URL of a server"):
        SupervisorBuilder().url("https://").build()


@pytest.mark.parametrize(
    ("on_the_store", "remote"), [(Supervisor, RemoteSupervisor), (AsyncSupervisor, AsyncRemoteSupervisor)]
)
def test_both_clients_have_the_same_calls(on_the_store: type, remote: type) -> None:
    def calls(kind: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}

    assert calls(on_the_store) - calls(remote) - {"get_server"} == OF_THE_STORE  # that one is for the server itself
    assert calls(remote) - calls(on_the_store) == {"ask", "actor_rows", "own_name"}


def test_the_client_repeats_only_what_the_description_calls_safe() -> None:
    methods = {method["name"] for method in whole_document()["methods"]}

    assert methods >= REPEATABLE
    assert {name for name in methods if may_repeat(name)} - {"create_job"} <= {
        name for name in methods if repeat_of(name) == "safe"
    }
