"""The embedded store: one server per folder, and no data lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Op
from hero_supervisor.errors import (
    SocketPathTooLong,
    StoreBinaryMissing,
    StoreFolderBusy,
    StoreFolderUnusable,
    StoreStartFailed,
)
from hero_supervisor.store.embedded import Readiness
from hero_supervisor.store.password import read_password, tcp_url
from tests.eventually import eventually
from tests.supervisor.conftest import MakeStore, command
from tests.valkey_server import free_port

# Starts a store as another supervisor would, prints its process id, and waits to be killed.
OTHER = """
import sys, time
from hero_supervisor.store.embedded import EmbeddedStore
store = EmbeddedStore(dir=sys.argv[1])
store.start()
print(store.pid, flush=True)
time.sleep(600)
"""


def ended(pid: int) -> bool:
    """Whether a process has ended. It may still be a zombie that its parent has not waited for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def other_supervisor(folder: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", OTHER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_store_answers_on_its_unix_socket_once_it_is_started(make_store: MakeStore) -> None:
    store = make_store()
    store.start()
    assert store.probe() is Readiness.READY
    assert command(store, "SET", "a", "1") == "OK"
    assert store.folder.socket_path.stat().st_mode & 0o777 == 0o700


def test_store_has_the_settings_that_keep_jobs(make_store: MakeStore) -> None:
    store = make_store(appendfsync="everysec", maxmemory="64mb")
    store.start()
    for name, value in {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-use-rdb-preamble": "no",
        "maxmemory": str(64 * 1024 * 1024),
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
        "hash-max-listpack-value": "1024",
    }.items():
        answer = command(store, "CONFIG", "GET", name)
        assert value in (answer.values() if isinstance(answer, dict) else answer), name


def test_store_offers_a_port_on_the_loopback_address_when_asked(make_store: MakeStore) -> None:
    port = free_port()
    store = make_store(port=port)
    store.start()
    with Store(tcp_url(port, read_password(store.folder.path))) as client:
        assert client.run(Op(("PING",), lambda answer: answer)) in ("PONG", True)


def test_data_survives_kill_and_start(make_store: MakeStore) -> None:
    store = make_store()
    store.start()
    command(store, "RPUSH", "q", "a", "b")
    store.kill()
    eventually(lambda: not store.alive())
    assert store.reap() == -signal.SIGKILL
    store.start()
    assert command(store, "LRANGE", "q", "0", "-1") == ["a", "b"]


def test_data_survives_stop_and_start_and_the_folder_is_free_between(make_store: MakeStore) -> None:
    store = make_store(appendfsync="no")
    store.start()
    command(store, "RPUSH", "q", "a")
    store.stop()
    assert not store.folder.socket_path.exists()
    again = make_store()
    again.start()
    assert command(again, "LRANGE", "q", "0", "-1") == ["a"]


def test_stop_without_start_and_stop_twice_do_nothing(make_store: MakeStore) -> None:
    store = make_store()
    store.stop()
    store.start()
    store.stop()
    store.stop()
    assert store.reap() == 0


def test_second_supervisor_is_refused_and_told_which_process_has_the_folder(
    make_store: MakeStore, tmp_path: Path
) -> None:
    other, pid = other_supervisor(tmp_path / "store")
    try:
        with pytest.raises(StoreFolderBusy) as caught:
            make_store().start()
        assert caught.value.owner_pid == other.pid
        assert not ended(pid)
    finally:
        kill(other)


def test_store_ends_when_its_supervisor_is_killed_and_the_folder_is_free(make_store: MakeStore, tmp_path: Path) -> None:
    other, pid = other_supervisor(tmp_path / "store")
    kill(other)
    eventually(lambda: ended(pid), what="the store of a killed supervisor ends")
    make_store().start()


def test_store_that_is_still_ending_is_waited_for(make_store: MakeStore, tmp_path: Path) -> None:
    other, pid = other_supervisor(tmp_path / "store")
    os.kill(pid, signal.SIGSTOP)  # it cannot end now
    kill(other)
    store = make_store()
    thaw = threading.Timer(0.5, os.kill, (pid, signal.SIGCONT))
    thaw.start()
    store.start()
    thaw.join()
    assert ended(pid)
    assert store.alive()


def test_socket_file_of_a_dead_server_is_replaced(make_store: MakeStore) -> None:
    store = make_store()
    store.folder.path.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(store.folder.socket_path))
    store.start()
    assert store.probe() is Readiness.READY


def test_name_of_the_folder_may_contain_blanks_and_quotes(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(dir=tmp_path / 'a "b" \\ c')
    store.start()
    assert command(store, "SET", "a", "1") == "OK"


def test_socket_of_a_long_path_is_in_a_private_folder_below_the_runtime_folder(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    store = make_store(dir=tmp_path / ("x" * 120))
    store.start()
    assert store.folder.socket_path.parent.parent == tmp_path
    assert store.folder.socket_path.parent.stat().st_mode & 0o777 == 0o700
    assert command(store, "SET", "a", "1") == "OK"


def test_socket_path_that_is_too_long_everywhere_is_refused(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / ("r" * 90)
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(SocketPathTooLong, match="longer than 107 bytes"):
        make_store(dir=tmp_path / ("x" * 120))


def test_runtime_folder_that_other_users_may_read_is_refused(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    store = make_store(dir=tmp_path / ("x" * 120))
    store.folder.socket_path.parent.mkdir(mode=0o755)
    with pytest.raises(StoreFolderUnusable, match="private"):
        store.start()


def test_port_in_use_is_reported_with_the_words_of_the_server(make_store: MakeStore) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        store = make_store(port=taken.getsockname()[1])
        with pytest.raises(StoreStartFailed, match="already in use"):
            store.start()
    store.start()  # and nothing was left behind


def test_missing_or_unusable_binary_is_named(make_store: MakeStore, tmp_path: Path) -> None:
    with pytest.raises(StoreBinaryMissing, match="no such file"):
        make_store(binary=str(tmp_path / "none")).start()
    (tmp_path / "text").write_text("")
    with pytest.raises(StoreBinaryMissing, match="not executable"):
        make_store(binary=str(tmp_path / "text")).start()


def test_folder_that_cannot_be_made_is_named(make_store: MakeStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFolderUnusable, match="Not a directory"):
        make_store(dir=tmp_path / "file" / "store").start()


def test_server_that_still_reads_its_data_is_not_ready(make_store: MakeStore) -> None:
    store = make_store()
    store.folder.path.mkdir()
    assert store.probe() is Readiness.SILENT
    with socket.socket(socket.AF_UNIX) as loading:
        loading.bind(str(store.folder.socket_path))
        loading.listen()

        def answer() -> None:
            connection, _ = loading.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"-LOADING Valkey is loading the dataset in memory\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert store.probe() is Readiness.LOADING
        thread.join()


def test_log_of_the_previous_start_is_kept(make_store: MakeStore) -> None:
    store = make_store()
    for _ in range(3):
        store.start()
        store.stop()
    assert sorted(path.name for path in store.folder.path.glob("valkey.log*")) == ["valkey.log", "valkey.log.1"]
