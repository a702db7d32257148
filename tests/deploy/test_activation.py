"""Sockets that a service manager passes are taken as sd_listen_fds(3) says, and stay open over a restart."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deploy.manager import listening_tcp, listening_unix, start_with
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient, request
from tests.valkey_server import ValkeyServer

#: Seconds after which a process or an answer counts as one that does not come.
LIMIT_S = 300
TAKE = """
import json, os
from hero_supervisor.systemd.activation import SocketsRefused, take_sockets
try:
    taken = take_sockets(os.environ)
except SocketsRefused as e:
    print(json.dumps({"refused": str(e), "open": [fd for fd in (3, 4) if os.path.exists(f"/proc/self/fd/{fd}")]}))
else:
    print(json.dumps({
        "variables": [name for name in os.environ if name.startswith("LISTEN_")],
        "unix": taken.unix and taken.unix.getsockname(),
        "tcp": taken.tcp and taken.tcp.getsockname()[1],
        "inherited": [s.get_inheritable() for s in (taken.unix, taken.tcp) if s],
        "blocking": [s.getblocking() for s in (taken.unix, taken.tcp) if s],
    }))
"""


class Taker:
    """Runs `take_sockets` in a process of its own, since in this one the test runner uses the low descriptors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open = contextlib.ExitStack()

    def unix(self, name: str = "u") -> int:
        return self.open.enter_context(listening_unix(self.folder / name)).fileno()

    def tcp(self) -> int:
        return self.open.enter_context(listening_tcp()).fileno()

    def socket(self, family: int, kind: int) -> int:
        return self.open.enter_context(socket.socket(family, kind)).fileno()

    def take(self, *fds: int, **options: Any) -> Any:
        log = self.folder / "log"
        with start_with(fds, [sys.executable, "-c", TAKE], cwd=self.folder, log=log, **options) as process:
            process.wait(LIMIT_S)
        return json.loads(log.read_text())


@pytest.fixture
def taker(tmp_path: Path) -> Iterator[Taker]:
    taker = Taker(tmp_path)
    with taker.open:
        yield taker


@pytest.mark.parametrize("names", [None, "unix:tcp", "hero-supervisor.socket:hero-supervisor.socket"])
def test_passed_sockets_are_told_apart_and_no_child_inherits_them(taker: Taker, names: str | None) -> None:
    tcp = taker.tcp()
    port = socket.socket(fileno=os.dup(tcp))
    with port:
        seen = taker.take(taker.unix(), tcp, names=names)

        assert seen == {
            "variables": [],
            "unix": str(taker.folder / "u"),
            "tcp": port.getsockname()[1],
            "inherited": [False, False],
            "blocking": [False, False],
        }


def test_sockets_meant_for_another_process_are_left_alone(taker: Taker) -> None:
    seen = taker.take(taker.unix(), environ={"LISTEN_PID": "1"})

    assert (seen["unix"], seen["tcp"], seen["variables"]) == (None, None, [])


def test_sockets_of_a_wrong_kind_are_refused_and_the_message_says_what_to_change(taker: Taker) -> None:
    cases: list[tuple[str, list[int], dict[str, Any]]] = [
        ("neither a Unix nor a TCP stream socket", [taker.socket(socket.AF_UNIX, socket.SOCK_DGRAM)], {}),
        ("descriptor 3 (tcp) is a unix socket; correct FileDescriptorName=", [taker.unix("a")], {"names": "tcp"}),
        ("descriptor 4 does not listen", [taker.unix("b"), taker.socket(socket.AF_INET, socket.SOCK_STREAM)], {}),
        ("there are two unix sockets", [taker.unix("c"), taker.unix("d")], {}),
        ("no socket", [os.open(os.devnull, os.O_RDONLY)], {}),
        ("2 names for 1 descriptors", [taker.unix("e")], {"names": "unix:tcp"}),
        ("LISTEN_FDS is no number: 'many'", [], {"environ": {"LISTEN_FDS": "many"}}),
    ]
    for expected, fds, options in cases:
        seen = taker.take(*fds, **options)
        (taker.folder / "log").unlink()

        assert expected in seen["refused"]
        assert seen["open"] == []


class Managed:
    """`hero-supervisor` under a manager that listens for it on a Unix socket and a TCP port."""

    def __init__(self, folder: Path, redis_url: str, namespace: str) -> None:
        self.folder, self.log = folder, folder / "log"
        self.path = folder / "hero.ipc"
        self.unix = listening_unix(self.path, mode=0o640)
        self.tcp = listening_tcp()
        self.port = int(self.tcp.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        store = f'[store]\nredis_url = "{redis_url}"\nnamespace = "{namespace}"\n'
        # Without the passed sockets it would listen on this other path, and on no port.
        rpc = '[rpc]\nunix_socket = "other.ipc"\n[[actors]]\ntype = "osis"\n'
        (folder / "hero.toml").write_text(f"{store}{rpc}")

    def start(self) -> None:
        command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml"]
        fds = [self.unix.fileno(), self.tcp.fileno()]
        self.process = start_with(fds, command, cwd=self.folder, log=self.log, names="unix:tcp")

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def connect_tcp(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), LIMIT_S)
        body = request("get_job_status", ["nobody"])
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        return client


@pytest.fixture
def managed(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> Iterator[Managed]:
    managed = Managed(tmp_path, valkey.url, namespace)
    with managed.unix, managed.tcp:
        managed.start()
        yield managed
        managed.end(signal.SIGTERM)


def answer_of(client: socket.socket) -> str:
    with client:
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def test_restart_refuses_no_client(managed: Managed) -> None:
    with RawClient(managed.path, LIMIT_S) as client:
        before = managed.path.stat()
        assert client.call("run_job", {"script": "40 + 2", "script_type": "OSIS", **WHO}) == "42"
        assert managed.process is not None
        actors = psutil.Process(managed.process.pid).children(recursive=True)
        ours = {os.fstat(listener.fileno()).st_ino for listener in (managed.unix, managed.tcp)}
        for actor in actors:
            assert not ours & sockets_of(actor)
            assert not [name for name in actor.environ() if name.startswith("LISTEN_")]
    assert not (managed.folder / "other.ipc").exists()

    stop, refused, served = threading.Event(), [], [0]

    def connect_again_and_again() -> None:
        while not stop.is_set():
            try:
                answer_of(managed.connect_tcp())
            except ConnectionRefusedError as e:
                refused.append(e)
            except (ConnectionResetError, BrokenPipeError):
                continue  # it was connected to the killed process
            served[0] += 1

    hammer = threading.Thread(target=connect_again_and_again)
    hammer.start()
    try:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            code = managed.end(ending)
            assert code == (0 if ending is signal.SIGTERM else -signal.SIGKILL)

            # No process listens now: a client connects, asks, and waits.
            waiting_tcp = managed.connect_tcp()
            with RawClient(managed.path, LIMIT_S) as waiting:
                waiting.send(request("get_job_status", ["nobody"]) + b"\n")
                managed.start()
                assert "nobody" in waiting.read()["error"]["message"]
            assert "nobody" in answer_of(waiting_tcp)
    finally:
        stop.set()
        hammer.join()
    after = managed.path.stat()
    assert refused == []
    assert served[0] > 0
    assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)
    managed.end(signal.SIGTERM)
    assert managed.path.exists()  # the file belongs to the manager and outlives the service


def test_passed_port_obeys_the_rules_of_a_configured_one(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> None:
    (tmp_path / "hero.toml").write_text(f'actors = []\n[store]\nredis_url = "{valkey.url}"\nnamespace = "{namespace}"')
    command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml"]
    with listening_tcp("0.0.0.0") as everywhere:
        process = start_with([everywhere.fileno()], command, cwd=tmp_path, log=tmp_path / "log")
        assert process.wait(LIMIT_S) == 69

    assert "who can reach 0.0.0.0 could run scripts: set tokens" in (tmp_path / "log").read_text()


WHO = {"caller_id": "me", "context_id": "here"}


def sockets_of(process: psutil.Process) -> set[int]:
    """Give the inode numbers of the open sockets of a process."""
    found = set()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            name = str(fd.readlink())
            if name.startswith("socket:["):
                found.add(int(name[8:-1]))
    return found


def test_service_without_a_manager_listens_as_configured(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> None:
    store = f'[store]\nredis_url = "{valkey.url}"\nnamespace = "{namespace}"\n'
    (tmp_path / "hero.toml").write_text(f'actors = []\n{store}[rpc]\nunix_socket = "own.ipc"\n')
    command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml"]
    with listening_unix(tmp_path / "passed.ipc") as passed:
        # LISTEN_PID names another process: these descriptors were meant for the parent.
        process = start_with(
            [passed.fileno()], command, cwd=tmp_path, log=tmp_path / "log", environ={"LISTEN_PID": str(os.getpid())}
        )
        eventually((tmp_path / "own.ipc").exists, what="its own socket")
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    assert not (tmp_path / "own.ipc").exists()
