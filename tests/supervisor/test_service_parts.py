"""The service as an object in a program: what it starts, how it ends, and that no process is left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path

import psutil
import pytest
import uvloop

from hero_client import AsyncSupervisor, SupervisorBuilder
from hero_config.model.settings import ActorSettings, EmbeddedSettings, RpcSettings, Settings
from hero_job.model.builder import JobBuilder
from hero_job.model.errors import JobNotFound
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_process.exit_codes import ProcessExit
from hero_supervisor.errors import StoreBinaryMissing
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.service import Service
from tests.eventually import GENEROUS_S


def settings_in(folder: Path, *, binary: str = "", socket_path: str | None = None) -> Settings:
    return Settings(
        embedded=EmbeddedSettings(dir=str(folder / "store"), binary=binary),
        rpc=RpcSettings(unix_socket=str(folder / "hero.ipc") if socket_path is None else socket_path),
        actors=(ActorSettings(type="sal", lanes=2),),
    )


async def status_of(supervisor: AsyncSupervisor, job_id: str) -> JobStatus | None:
    try:
        return await supervisor.get_job_status(job_id)
    except JobNotFound:
        return None


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    others = {process.pid for process in psutil.Process().children()}

    async def limited() -> None:
        # pytest-timeout's alarm only sets a flag in uvloop, which then waits on.
        async with asyncio.timeout(2 * GENEROUS_S):
            await test()

    uvloop.run(limited())
    left = [process for process in psutil.Process().children() if process.pid not in others]
    assert left == [], "a process or a zombie is left"


def test_service_starts_store_actors_and_socket_and_ends_them_all(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(settings_in(tmp_path))
        await service.start()
        (child,) = await service.ready()
        assert (child.slot, child.phase) == ("sal-1", Phase.RUNNING)
        async with SupervisorBuilder().redis_url(service.redis_url).build_async() as supervisor:
            job = JobBuilder().caller_id("c").context_id("c").script_type(ScriptType.SAL).script("40 + 2").build()
            assert await supervisor.run_job_and_await_result(job) == "42"
        reader, writer = await asyncio.open_unix_connection(tmp_path / "hero.ipc")
        writer.write(b'{"jsonrpc": "2.0", "id": 1, "method": "get_job_output", "params": ["%s"]}' % job.id.encode())
        assert b"42" in await reader.readline()
        writer.close()
        await service.stop()
        assert not (tmp_path / "hero.ipc").exists()
        assert service.children() == ()

    run(test)


def test_client_that_waits_for_a_running_job_gets_its_answer_while_the_service_drains(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(settings_in(tmp_path))
        running = asyncio.create_task(service.run())
        await service.ready()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "hero.ipc")
        writer.write(
            b'{"jsonrpc": "2.0", "id": 1, "method": "run_job", "params": {"id": "one", "caller_id": "c",'
            b' "context_id": "c", "script_type": "SAL", "script": "sleep(3); 42"}}'
        )
        async with SupervisorBuilder().redis_url(service.redis_url).build_async() as supervisor:
            async with asyncio.timeout(GENEROUS_S):
                while await status_of(supervisor, "one") is not JobStatus.STARTED:
                    pass
        service.ask_to_stop()
        assert b"42" in await reader.readline()
        writer.close()
        assert await running == 0

    run(test)


@pytest.mark.parametrize("actors", [1, 0])
def test_service_that_cannot_make_its_socket_ends_everything_that_it_has_started(tmp_path: Path, actors: int) -> None:
    async def test() -> None:
        (tmp_path / "file").write_text("")
        settings = settings_in(tmp_path, socket_path=str(tmp_path / "file" / "hero.ipc"))
        service = Service(settings.model_copy(update={"actors": settings.actors[:actors]}))
        with pytest.raises(Exception, match="file"):
            await service.run()
        with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as store:
            store.connect(str(tmp_path / "store" / "valkey.sock"))

    run(test)


def test_service_without_a_store_binary_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(StoreBinaryMissing):
            await Service(settings_in(tmp_path, binary="/none")).run()

    run(test)


def test_service_that_is_cancelled_ends_everything(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(settings_in(tmp_path))
        running = asyncio.create_task(service.run())
        await service.ready()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(GENEROUS_S):
                await running

    run(test)


def test_failed_background_task_ends_the_service_with_the_exit_code_of_a_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    async def test() -> None:
        service = Service(settings_in(tmp_path))
        running = asyncio.create_task(service.run())
        await service.ready()
        service._run_in_background("optional", broken(), required=False)
        service._run_in_background("needed", broken())
        assert await running == ProcessExit.DEFECT
        assert service.children() == ()

    run(test)
    assert [vars(line)["task"] for line in caplog.records if line.message == "service.task_ended"] == ["needed"]
    assert [vars(line)["task"] for line in caplog.records if line.message == "service.task_failed"] == ["optional"]


def test_stop_without_start_does_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(settings_in(tmp_path))
        assert service.children() == ()
        await service.stop()

    run(test)
