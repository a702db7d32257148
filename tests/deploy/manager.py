"""A minimal service manager: it listens, and passes its sockets to the processes that it starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Moves the descriptors to where sd_listen_fds(3) wants them, and names the process that they are meant for.
_LAUNCHER = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",") if fd]
for number, fd in enumerate(fds, 3):
    os.dup2(fd, number, inheritable=True)
for fd in fds:
    os.close(fd)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def start_with(
    fds: Sequence[int],
    command: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    names: str | None = None,
    environ: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process and pass descriptors to it.

    Args:
        fds: They become descriptors 3, 4 and so on.
        command: Program and arguments.
        cwd: Its working folder.
        log: Where its output goes.
        names: Value of `LISTEN_FDNAMES`; None leaves it unset.
        environ: Variables that override all others.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HERO_", "LISTEN_"))}
    env |= {"PYTHONPATH": str(ROOT), "LISTEN_FDS": str(len(fds))}
    if names is not None:
        env["LISTEN_FDNAMES"] = names
    launch = [sys.executable, "-S", "-c", _LAUNCHER, ",".join(map(str, fds)), *command]
    with log.open("ab") as out:
        return subprocess.Popen(
            launch,
            cwd=cwd,
            env=env | (environ or {}),
            pass_fds=tuple(fds),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def listening_unix(path: Path, mode: int = 0o600) -> socket.socket:
    """Listen on a Unix socket."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(mode)
    listener.listen(64)
    return listener


def listening_tcp(host: str = "127.0.0.1") -> socket.socket:
    """Listen on a TCP port that the kernel chooses."""
    return socket.create_server((host, 0), backlog=64)
