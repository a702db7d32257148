"""What all tests share: one Valkey for the session, one namespace a test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.known_skips import is_known
from tests.valkey_server import ValkeyServer


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The server that most tests share; each keeps to its namespace and leaves the server running."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey")).start()
    _shared.append(server)
    yield server
    _shared.clear()
    server.stop()


#: The shared server, once a test has asked for it.
_shared: list[ValkeyServer] = []


@pytest.fixture(scope="module", autouse=True)
def empty_again() -> Iterator[None]:
    """Empty the shared server after each module, so that what one leaves behind does not make the next one slow."""
    yield
    for server in _shared:
        server.command("FLUSHALL")


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server of the test's own, to be killed and frozen."""
    server = ValkeyServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[Store]:
    """A synchronous store on the shared server."""
    with Store(valkey.url) as store:
        yield store


@pytest.fixture
def operations(namespace: str) -> Operations:
    """Operations of the test's namespace."""
    return Operations(namespace)


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
