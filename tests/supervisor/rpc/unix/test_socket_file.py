"""The path of the socket: taken from a dead server, never from a live one, and removed only if it is still ours."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_supervisor.rpc.unix import socket_file
from hero_supervisor.rpc.unix.socket_file import MAX_PATH_BYTES, SocketInUse, SocketPathRefused, listen, take


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hero.ipc"


@pytest.fixture
def dead_socket(path: Path) -> Path:
    """The socket that a killed server leaves behind."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path


@pytest.fixture
def live_socket(path: Path) -> Iterator[socket.socket]:
    """The socket of a live server of another program."""
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen(1)
        yield live


def test_the_socket_of_a_dead_server_is_replaced(dead_socket: Path) -> None:
    taken = listen(dead_socket, 0o600)
    with taken.listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(dead_socket))


def test_a_live_server_is_refused_and_left_alone(path: Path, live_socket: socket.socket) -> None:
    with pytest.raises(SocketInUse, match=r"hero\.ipc.*already"):
        listen(path, 0o600)

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_live_server_with_a_full_backlog_is_refused_too(path: Path, live_socket: socket.socket) -> None:
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    try:
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(SocketInUse):
            listen(path, 0o600)
    finally:
        for client in waiting:
            client.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "datagram socket"])
def test_a_path_that_is_not_a_stream_socket_is_refused_and_left_alone(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere")
    else:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(str(path))
            with pytest.raises(SocketInUse):
                listen(path, 0o600)
            return
    before = path.lstat()

    with pytest.raises(SocketPathRefused, match="not a socket"):
        listen(path, 0o600)

    assert path.lstat() == before


def test_a_path_that_is_too_long_for_the_kernel_is_refused_with_its_length(tmp_path: Path) -> None:
    long = tmp_path / ("x" * (MAX_PATH_BYTES + 1 - len(os.fsencode(tmp_path)) - 1))

    with pytest.raises(SocketPathRefused, match=rf"{MAX_PATH_BYTES + 1} bytes .* {MAX_PATH_BYTES}"):
        listen(long, 0o600)

    fits = long.with_name(long.name[:-1])
    taken = listen(fits, 0o600)
    taken.listener.close()
    assert fits.exists()


def test_missing_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    taken = listen(tmp_path / "a" / "b" / "s", 0o600)
    taken.listener.close()

    assert [stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("a", "a/b")] == [0o700, 0o700]


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    taken = listen(Path("s.ipc"), 0o600)
    taken.listener.close()

    assert taken.path == tmp_path / "s.ipc"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_does_not_depend_on_the_umask(path: Path, mode: int) -> None:
    old = os.umask(0o077)
    try:
        taken = listen(path, mode)
    finally:
        os.umask(old)
    taken.listener.close()

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_file_is_removed_at_the_end(path: Path) -> None:
    taken = listen(path, 0o600)
    with taken.listener:
        taken.remove()

    assert not path.exists()


def test_another_servers_file_is_not_removed_at_the_end(path: Path) -> None:
    ours = listen(path, 0o600)
    path.unlink()
    theirs = listen(path, 0o600)
    with ours.listener, theirs.listener:
        ours.remove()

        assert path.exists()


def test_a_missing_file_at_the_end_is_ignored(path: Path) -> None:
    taken = listen(path, 0o600)
    path.unlink()
    with taken.listener:
        taken.remove()


def test_a_folder_that_somebody_keeps_locked_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_file, "_LOCK_PATIENCE_S", 0.1)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(SocketPathRefused, match="lock"):
            listen(path, 0o600)
    finally:
        os.close(folder)


def test_a_server_that_is_cancelled_while_it_takes_the_path_leaves_nothing_behind(path: Path) -> None:
    async def cancelled_within(folder: int) -> None:
        fcntl.flock(folder, fcntl.LOCK_EX)  # so that it waits, in its thread
        taking = asyncio.create_task(take(path, 0o600))
        for _ in range(2):  # its own first step, and that of the thread
            await asyncio.sleep(0)
        taking.cancel()
        await asyncio.sleep(0)
        fcntl.flock(folder, fcntl.LOCK_UN)
        with pytest.raises(asyncio.CancelledError):
            await taking

    folder = os.open(path.parent, os.O_RDONLY)
    try:
        asyncio.run(cancelled_within(folder))
    finally:
        os.close(folder)

    assert not path.exists()


RACER = """
import sys
from pathlib import Path
from hero_supervisor.rpc.unix.socket_file import SocketInUse, listen

print("ready", flush=True)
sys.stdin.readline()
try:
    taken = listen(Path(sys.argv[1]), 0o600)
except SocketInUse:
    print("refused", flush=True)
else:
    print("listening", flush=True)
    sys.stdin.read()
"""


def test_of_servers_that_start_simultaneously_exactly_one_gets_the_path(dead_socket: Path) -> None:
    command = [sys.executable, "-c", RACER, str(dead_socket)]
    with contextlib.ExitStack() as ends:
        racers = [
            ends.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(4)
        ]
        assert [line_of(racer) for racer in racers] == ["ready"] * 4
        for racer in racers:
            tell(racer, "go")

        seen = sorted(line_of(racer) for racer in racers)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(dead_socket))
        for racer in racers:
            racer.communicate()

    assert seen == ["listening", "refused", "refused", "refused"]


def line_of(racer: subprocess.Popen[str]) -> str:
    assert racer.stdout is not None
    return racer.stdout.readline().strip()


def tell(racer: subprocess.Popen[str], word: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(f"{word}\n")
    racer.stdin.flush()
