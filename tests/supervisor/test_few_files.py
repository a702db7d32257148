"""A service that may open few files refuses clients in words, and lives."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import CONFIG
from tests.eventually import GENEROUS_S, eventually
from tests.valkey_server import free_port

FILES = 128


def ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(ConnectionError):  # it is refused
        client.connect(str(path))
        client.settimeout(GENEROUS_S)
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"version"}\n')
        return client.makefile("rb").readline()
    return b""


@pytest.mark.parametrize("family", ["unix", "tcp"])
def test_clients_that_take_all_connections_leave_files_for_the_service(tmp_path: Path, family: str) -> None:
    port = free_port()
    (tmp_path / "hero.toml").write_text(
        CONFIG.format(
            redis_url="", appendfsync="everysec", actors=f"port = {port}\n[[actors]]\ntype = 'sal'\n", lease_s=3
        )
    )
    ready, write = os.pipe()
    log = tmp_path / "log"
    program = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml", "--ready-fd", str(write)]
    with log.open("wb") as out:
        service = subprocess.Popen(
            ["prlimit", f"--nofile={FILES}:{FILES}", *program],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=[write],
        )  # fmt: skip
    os.close(write)
    flood: list[socket.socket] = []
    try:
        with os.fdopen(ready) as pipe:
            assert pipe.read() == "\n", log.read_text()
        for _ in range(2 * FILES):
            client = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET)
            flood.append(client)
            # Without a time limit: with one, a full backlog would be an error of the client instead of a wait.
            client.connect(str(tmp_path / "hero.ipc") if family == "unix" else ("127.0.0.1", port))
        # Refused ones are closed, so the number of files falls to what the servers keep.
        eventually(lambda: len([*Path(f"/proc/{service.pid}/fd").iterdir()]) < FILES - 20, what="files are left")
        for client in flood:
            client.close()
        eventually(lambda: b'"result"' in ask(tmp_path / "hero.ipc"), what="it serves again")
    finally:
        for client in flood:
            client.close()
        service.terminate()
        code = service.wait()
    said = log.read_text()
    assert (code, "task_ended" in said, "rpc.few_files" in said) == (0, False, True)
