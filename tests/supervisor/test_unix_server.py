"""The program `hero-unix-server`, with real actors and the embedded store."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import GENEROUS_S, eventually
from tests.forked_programs import ForkedPopen
from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.valkey_server import ValkeyServer


class ServerProcess:
    """One running `hero-unix-server`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.path = folder / "baobab.ipc"
        command = [sys.executable, "-m", "hero_supervisor.unix_server", "--socket", "./baobab.ipc", *arguments]
        with (folder / "log").open("a") as log:
            self.process: subprocess.Popen[str] = ForkedPopen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def ready_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ended(self) -> int:
        """Wait until it ends by itself, and give its exit code."""
        return self.process.wait(GENEROUS_S)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End it gracefully, kill it if that fails, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(GENEROUS_S)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start the program in the folder of the test; at the end everything is stopped."""
    started: list[ServerProcess] = []

    def start(*arguments: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    server = start_server("--db-path", "./db")
    assert "ready" in server.ready_line(), server.log()
    return server


def test_jobs_of_the_quick_start_run_in_a_fresh_folder(server: ServerProcess) -> None:
    with RawClient(server.path) as client:
        job_id = client.call("create_job", job(script="40 + 2"))
        assert client.call("start_job", [job_id]) == {"success": True}
        assert eventually(lambda: client.call("get_job_output", [job_id])) == "42"

        assert client.call("run_job", job(script="let x = 6; x * 7", script_type="OSIS")) == "42"
        assert client.call("play", ["let x = 10; x * 2"]) == {"output": "20"}

        failed = client.fail("run_job", job(script="let x = 1;\n  x.nothing()"))
        assert failed["code"] == ErrorCode.JOB_FAILED
        assert failed["data"]["line"] == 2
        assert isinstance(failed["data"]["column"], int)
        assert "nothing" in failed["data"]["message"]

        late = client.fail("run_job", job(script="loop {}", timeout=0.3))
        assert (late["code"], late["data"]["kind"]) == (ErrorCode.JOB_FAILED, "timeout")

        actors = {actor["name"]: actor["script_type"] for actor in client.call("list_actors")}
        assert actors == {"osis-1": "OSIS", "sal-1": "SAL"}


def test_slow_jobs_of_one_connection_run_simultaneously(server: ServerProcess) -> None:
    names = [f"slow-{i}" for i in range(8)]
    with RawClient(server.path) as client, RawClient(server.path) as other:
        for name in names:
            client.send(request("run_job", job(id=name, script="loop { sleep(0.05) }"), request_id=name))
        client.send(request("version", request_id="quick"))
        assert client.read()["id"] == "quick"

        # None of them ends by itself, so they run simultaneously or never.
        eventually(lambda: {other.ask("get_job_status", [name]).get("result") for name in names} == {"started"})
        for name in names:
            other.call("stop_job", [name])

        answers = {answer["id"]: answer["error"]["data"]["kind"] for answer in (client.read() for _ in names)}
    assert answers == dict.fromkeys(names, "stopped")


def test_jobs_survive_a_restart(server: ServerProcess, start_server: StartServer) -> None:
    with RawClient(server.path) as client:
        client.call("run_job", job(id="j1"))
    code = server.stop()

    again = start_server("--db-path", "./db")
    assert "ready" in again.ready_line()
    with RawClient(again.path) as client:
        output = client.call("get_job_output", ["j1"])

    assert code == 0
    assert output == "42"


def test_socket_of_a_killed_server_is_taken_over(tmp_path: Path, start_server: StartServer) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "baobab.ipc"))

    server = start_server("--db-path", "./db", "--no-actors")

    assert "actors: none" in server.ready_line()
    with RawClient(server.path) as client:
        assert client.call("health")["status"] == "ok"


def test_running_server_keeps_its_socket(server: ServerProcess, start_server: StartServer) -> None:
    code = start_server("--db-path", "./other", "--no-actors").ended()

    assert code == 69
    with RawClient(server.path) as client:
        assert client.call("health")["status"] == "ok"
    assert "a server already listens there" in server.log()


def test_given_redis_is_used_and_no_store_is_started(
    tmp_path: Path, own_valkey: ValkeyServer, start_server: StartServer
) -> None:
    server = start_server("--redis-url", own_valkey.url, "--no-actors")
    line = server.ready_line()
    with RawClient(server.path) as client:
        client.call("create_job", job(id="j1"))
    code = server.stop()

    assert "the given Redis" in line
    assert own_valkey.command("EXISTS", "hero:job:j1") == 1
    assert not (tmp_path / "db").exists()
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--redis-url", "http://localhost"], "http://localhost"),
        (["--sokcet", "x"], "unrecognized arguments"),
        (["--log-level", "loud"], "invalid choice"),
    ],
)
def test_wrong_usage_is_reported_with_exit_code_2(start_server: StartServer, arguments: list[str], said: str) -> None:
    server = start_server(*arguments)

    assert server.ended() == 2
    assert said in server.log()
    assert "Traceback" not in server.log()


def test_ctrl_c_ends_it_gracefully_and_removes_the_socket(server: ServerProcess) -> None:
    code = server.stop(signal.SIGINT)

    assert code == 0
    assert not server.path.exists()
    assert "Traceback" not in server.log()
