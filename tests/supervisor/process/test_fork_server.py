"""The supervisor's side of the fork server: what follows a change of its files, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from hero_supervisor.process import fork_server
from hero_supervisor.process.fork_server import ForkServer
from hero_supervisor.process.spec import passed_on
from tests.eventually import eventually_async
from tests.supervisor.supervising import run


def test_server_whose_files_have_changed_is_replaced_immediately_and_the_actor_is_executed(tmp_path: Path) -> None:
    loaded = tmp_path / "sitecustomize.py"  # every Python program loads it
    loaded.write_text("")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = passed_on({**os.environ, "PYTHONPATH": path})

    async def test() -> None:
        server = ForkServer(environ, lambda: None)
        server.want(True)
        try:
            first = server.pid
            assert first is not None
            await eventually_async(lambda: not server.loading, what="it is ready")
            assert server.pid == first
            loaded.write_text("# another version")

            ours, theirs = socket.socketpair()
            with ours, theirs:
                arguments = [sys.executable, "-P", "-m", "hero_actor", "--help"]
                forked = server.fork(arguments, environ, theirs.fileno(), ours.fileno())

            assert forked is None
            assert server.loading, "the next one is for the actors after this one"
            assert server.pid not in (None, first)
        finally:
            server.want(False)
        assert server.pid is None

    run(test)


def test_next_actor_after_the_end_of_a_server_has_another_one_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server, "_PAUSE_S", 0.0)
    environ = passed_on(os.environ)

    async def test() -> None:
        ended = asyncio.Event()
        server = ForkServer(environ, lambda: None if server.pid else ended.set())
        server.want(True)
        try:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await ended.wait()
            assert server.fork([], environ, 0, 0) is None, "this one is executed"
            assert server.loading
        finally:
            server.want(False)
        assert server.fork([], environ, 0, 0) is None
        assert not server.loading, "nobody wants it"

    run(test)
