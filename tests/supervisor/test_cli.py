"""The program `hero-supervisor`: its flags, its exit codes, and what an operator reads when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.program import run_program


def test_version_and_help_are_printed(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--version").stdout.startswith("hero-supervisor ")
    assert "--config" in run_program(tmp_path, "--help").stdout


def test_missing_config_is_named_with_exit_code_2(tmp_path: Path) -> None:
    done = run_program(tmp_path, "--config", "none.toml")
    assert (done.returncode, done.stderr) == (2, "hero-supervisor: none.toml: the file does not exist\n")


def test_every_problem_of_a_config_is_named_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[stor]\n[jobs]\nreply_ttl_s = 'x'\n")
    done = run_program(tmp_path, "--config", "x.toml")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "hero-supervisor: x.toml:1: stor = {}: unknown key (did you mean 'store'?)",
        "hero-supervisor: x.toml:3: jobs.reply_ttl_s = 'x': should be a whole number of seconds",
    ]


def test_config_can_be_named_by_the_environment(tmp_path: Path) -> None:
    assert run_program(tmp_path, HERO_CONFIG="none.toml").returncode == 2


def test_invalid_store_url_ends_with_exit_code_2(tmp_path: Path) -> None:
    done = run_program(tmp_path, HERO_STORE__REDIS_URL="redis://h:port/")
    assert done.returncode == 2
    assert "redis_url" in done.stderr
    assert "must have HOST or HOST:PORT" in done.stderr


def test_missing_store_binary_is_named_with_exit_code_69(tmp_path: Path) -> None:
    done = run_program(tmp_path, HERO_EMBEDDED__BINARY="/no/valkey-server")
    assert done.returncode == 69
    assert done.stderr.splitlines()[-1].startswith("hero-supervisor: no store binary at /no/valkey-server")


def test_store_that_cannot_run_is_reported_with_exit_code_69(tmp_path: Path) -> None:
    done = run_program(tmp_path, HERO_EMBEDDED__BINARY="false")
    assert done.returncode == 69
    assert "the embedded store in" in done.stderr.splitlines()[-1]
    assert "ended while it started" in done.stderr.splitlines()[-1]


def test_service_can_be_stopped_while_its_store_still_reads_its_data(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    slow = tmp_path / "slow-server"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    supervisor = start_supervisor(environ={"HERO_EMBEDDED__BINARY": str(slow)})
    eventually(lambda: [process.name() for process in supervisor.descendants()] == ["sleep"])
    assert supervisor.terminate() == 0
    assert supervisor.survivors() == []


def test_unknown_flag_ends_with_exit_code_2(tmp_path: Path) -> None:
    done = run_program(tmp_path, "--confg", "x")
    assert done.returncode == 2
    assert "unrecognized arguments: --confg x" in done.stderr


def test_folder_of_a_running_supervisor_is_refused_with_exit_code_69(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    supervisor = start_supervisor()
    supervisor.wait_ready()
    done = run_program(tmp_path)
    assert done.returncode == 69
    assert f"in use by another supervisor (process {supervisor.process.pid})" in done.stderr
    assert supervisor.reply(supervisor.submit("1 + 1")).output == "2"


@pytest.mark.parametrize(("engine", "code"), [("", 0), ("nosuch", 69)])
def test_exit_code_of_once_ready_says_whether_all_actors_can_start(tmp_path: Path, engine: str, code: int) -> None:
    (tmp_path / "x.toml").write_text(OSIS)
    done = run_program(tmp_path, "--config", "x.toml", "--once-ready", HERO_ACTORS__0__ENGINE=engine)
    assert done.returncode == code, done.stderr
    assert "service.stopped" in done.stderr


def test_ready_fd_gets_a_line_when_all_actors_are_ready(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(OSIS)
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "x.toml", "--ready-fd", str(theirs)]
    with subprocess.Popen(command, cwd=tmp_path, pass_fds=[theirs], stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        with os.fdopen(ours) as ready:
            assert ready.read() == "\n"
        process.terminate()
    assert process.returncode == 0


def test_service_manager_gets_ready_status_watchdog_and_stopping(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(GENEROUS_S)
        supervisor = start_supervisor(
            environ={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000", "WATCHDOG_PID": ""}
        )
        missing = {"READY=1", "STATUS=1 of 1 actors ready", "WATCHDOG=1"}
        while missing:
            missing.discard(manager.recv(4096).decode())
        supervisor.signal(signal.SIGTERM)
        eventually(lambda: manager.recv(4096).decode() == "STOPPING=1")
        assert supervisor.process.wait(GENEROUS_S) == 0


def test_garbage_collections_pass_over_what_a_ready_supervisor_consists_of(tmp_path: Path) -> None:
    program = (
        "import gc; from hero_supervisor import cli; cli.main(['--once-ready'])\n"
        "print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"HERO_RPC__UNIX_SOCKET": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen, looked_at = map(int, done.stdout.split()[-2:])

    assert frozen > 10 * looked_at
