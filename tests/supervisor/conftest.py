"""Fixtures that start supervisors and embedded stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Op
from hero_supervisor.store.embedded import EmbeddedStore
from tests.supervisor.supervisor_process import SupervisorProcess

StartSupervisor = Callable[..., SupervisorProcess]
MakeStore = Callable[..., EmbeddedStore]

#: One OSIS actor, no RPC socket, and a lease that is short enough for a test to wait for its end.
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

    def start(config: str = OSIS, **settings: Any) -> SupervisorProcess:
        started.append(SupervisorProcess(tmp_path, config, **settings))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.clean_up()


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    made: list[EmbeddedStore] = []

    def make(**settings: Any) -> EmbeddedStore:
        defaults: dict[str, Any] = {"dir": tmp_path / "store", "appendfsync": "always"}
        made.append(EmbeddedStore(**(defaults | settings)))
        return made[-1]

    yield make
    for store in made:
        store.kill()
        store.stop()


def command(store: EmbeddedStore, *args: str) -> Any:
    """Send one command to a store, and give its answer."""
    with Store(store.url) as client:
        return client.run(Op(args, lambda answer: answer))
