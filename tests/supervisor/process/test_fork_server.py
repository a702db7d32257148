"""The supervisor's side of the fork server: what happens when the files that it has loaded change."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

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
