"""Fixtures for all tests: one Valkey server per session, one namespace per test."""

from __future__ import annotations

import gc
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests import asyncio_mode
from tests.asyncio_mode import loops_leave_nothing, no_socket_is_left, pytest_fixture_setup
from tests.environment_kept import environment_is_kept
from tests.known_skips import is_known
from tests.slow_files import pytest_collection_modifyitems
from tests.valkey_server import ValkeyServer

__all__ = [
    "environment_is_kept",
    "loops_leave_nothing",
    "no_socket_is_left",
    "pytest_collection_modifyitems",
    "pytest_fixture_setup",
]

asyncio_mode.install()

# A shell that runs the suite in the background lets it ignore these, and so everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Next to nothing of what the collection of the tests makes is garbage, and to look for it takes a fifth of its time.
gc.disable()

# No example has a time limit and no search is too slow: both would fail on a busy machine.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Return the server that most tests share. A test uses its own namespace and leaves the server running."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey")).start()
    _shared.append(server)
    yield server
    _shared.clear()
    server.stop()


#: The shared server, once a test has asked for it.
_shared: list[ValkeyServer] = []


@pytest.fixture(scope="module", autouse=True)
def empty_shared_server() -> Iterator[None]:
    """Empty the shared server after each module, so that leftovers of one module do not slow down the next."""
    yield
    for server in _shared:
        server.command("FLUSHALL")


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Return a server that only this test uses and may kill or freeze."""
    server = ValkeyServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def namespace() -> str:
    """Return a namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[Store]:
    """Return a synchronous store on the shared server."""
    with Store(valkey.url) as store:
        yield store


@pytest.fixture
def operations(namespace: str) -> Operations:
    """Return the operations of the test's namespace."""
    return Operations(namespace)


def pytest_collection_finish() -> None:
    """Collect garbage from now on."""
    gc.enable()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI, fail a run that skipped a test which is not on the list of known skips."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI") or exitstatus != pytest.ExitCode.OK:
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if not is_known(str(report.longrepr))]
    for report in skipped:
        reporter.write_line(f"skipped, and not on the list in tests/known_skips.py: {report.nodeid}: {report.longrepr}")
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
