"""Supervisors for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervisor.process import SupervisorProcess

StartSupervisor = Callable[..., SupervisorProcess]

#: One OSIS actor, no RPC socket, and a lease short enough for a test to wait for its end.
OSIS = """
[supervisor]
lease_s = 3.0
sweep_s = 0.2
[rpc]
unix_socket = ""
[[actors]]
type = "osis"
"""


@pytest.fixture
def start_supervisor(tmp_path: Path) -> Iterator[StartSupervisor]:
    started: list[SupervisorProcess] = []

    def start(config: str = OSIS, **settings: object) -> SupervisorProcess:
        started.append(SupervisorProcess(tmp_path, config, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.clean_up()
