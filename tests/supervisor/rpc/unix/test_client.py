"""The command `hero-unix-client`: results, errors and exit codes, as a shell sees them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import job
from tests.supervisor.rpc.running_server import RunningServer

StartActor = Callable[[str], ForeignActor]


def run_client(path: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hero_supervisor.rpc.unix.client", "--socket", str(path), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)


def test_the_quick_start_of_two_steps(unix_server: RunningServer, foreign_actor: StartActor) -> None:
    foreign_actor("sal")
    fields = orjson.dumps(job(id="j1")).decode()

    created = run_client(unix_server.path, "--method", "create_job", "--params", fields)
    started = run_client(unix_server.path, "--method", "start_job", "--params", '["j1"]')
    ran = run_client(unix_server.path, "--method", "run_job", "--params", orjson.dumps(job()).decode())
    output = run_client(unix_server.path, "--method", "get_job_output", "--params", '{"job_id": "j1"}')

    assert (created.returncode, orjson.loads(created.stdout)) == (0, "j1")
    assert orjson.loads(started.stdout) == {"success": True}
    assert orjson.loads(ran.stdout) == "ran 40 + 2"
    assert orjson.loads(output.stdout) == "ran 40 + 2"
    assert not any(step.stderr for step in (created, started, ran, output))


def test_raw_prints_a_string_without_quotes(unix_server: RunningServer, foreign_actor: StartActor) -> None:
    foreign_actor("sal")

    ran = run_client(unix_server.path, "--method", "run_job", "--params", '["a\\"b", "sal"]', "--raw")

    assert ran.stdout == 'ran a"b\n'


def test_parameters_can_come_from_standard_input(unix_server: RunningServer) -> None:
    script = "x" * 300_000  # longer than an argument may be
    fields = orjson.dumps(job(id="j1", script=script)).decode()

    created = run_client(unix_server.path, "--method", "create_job", "--params", "-", stdin=fields)
    got = run_client(unix_server.path, "--method", "get_job", "--params", '["j1"]')

    assert created.returncode == 0
    assert orjson.loads(got.stdout)["script"] == script


def test_an_error_goes_to_standard_error_with_exit_code_1(unix_server: RunningServer) -> None:
    failed = run_client(unix_server.path, "--method", "get_job_output", "--params", '["nowhere"]')
    failed_raw = run_client(unix_server.path, "--method", "get_job_output", "--params", '["nowhere"]', "--raw")

    assert (failed.returncode, failed.stdout) == (1, "")
    error = orjson.loads(failed.stderr)
    assert (error["code"], error["data"]["kind"]) == (ErrorCode.JOB_NOT_FOUND, "job_not_found")
    assert failed_raw.returncode == 1
    assert failed_raw.stderr.startswith("error 1001: no job with id 'nowhere'\n")


@pytest.mark.parametrize("params", ["{", "42", '"text"', "{'a': 1}"])
def test_invalid_parameters_are_wrong_usage(unix_server: RunningServer, params: str) -> None:
    failed = run_client(unix_server.path, "--method", "version", "--params", params)

    assert failed.returncode == 2
    assert "--params" in failed.stderr


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon"])
def test_an_invalid_timeout_is_wrong_usage(tmp_path: Path, timeout: str) -> None:
    failed = run_client(tmp_path / "s", "--method", "version", "--timeout", timeout)

    assert failed.returncode == 2
    assert "--timeout" in failed.stderr


def test_a_missing_socket_gives_a_clear_message(tmp_path: Path) -> None:
    failed = run_client(tmp_path / "none", "--method", "version")

    assert failed.returncode == 2
    assert f"no socket at {tmp_path / 'none'}" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_socket_of_a_dead_server_gives_a_clear_message(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))

    failed = run_client(tmp_path / "s", "--method", "version")

    assert failed.returncode == 2
    assert "nobody listens" in failed.stderr


def test_a_path_that_is_too_long_gives_a_clear_message(tmp_path: Path) -> None:
    failed = run_client(tmp_path / ("x" * 120), "--method", "version")

    assert failed.returncode == 2
    assert "path too long" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_no_answer_in_time_ends_with_exit_code_2(unix_server: RunningServer) -> None:
    failed = run_client(unix_server.path, "--method", "run_job", "--params", '["1", "V"]', "--timeout", "0.3")

    assert failed.returncode == 2
    assert "within 0.3 s" in failed.stderr


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b'{"hello":"there"}\n', b"{,}"])
def test_an_invalid_answer_gives_a_clear_message(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()

        def serve() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        failed = run_client(tmp_path / "s", "--method", "version")
        thread.join()

    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
    assert "answer" in failed.stderr


def test_the_client_loads_nothing_of_the_server() -> None:
    code = "import sys, hero_supervisor.rpc.unix.client; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"asyncio", "pydantic", "redis", "hero_job", "typer", "rich"} & set(loaded)


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("hero-unix-client")
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, env={**os.environ})

    assert "exit codes" in shown.stdout
