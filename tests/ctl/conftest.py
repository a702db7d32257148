"""A deployment for the tests of `heroctl`, and the command itself as a user starts it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import forked_heroctl
from tests.deployment import LONG_LEASE_S, Deployment, deployed

HEROCTL = forked_heroctl.HEROCTL
LIMIT_S = 300

Heroctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for the tests of a module; each test looks only at its own jobs.

    It is not kept until the next module that needs one: idle for so long, it takes more time than its start.
    """
    with deployed(tmp_path_factory.mktemp("ctl"), lease_s=LONG_LEASE_S) as running:
        yield running


@pytest.fixture
def heroctl(deployment: Deployment, tmp_path: Path) -> Heroctl:
    """Run `heroctl` against the deployment, in an empty folder; with `fresh=True` without a fork."""

    def call(
        *arguments: str, input: str | bytes | None = None, url: str | None = None, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        done = forked_heroctl.run_heroctl(
            [HEROCTL, *arguments],
            fresh=fresh,
            input=input.encode() if isinstance(input, str) else input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=environment(deployment.url if url is None else url),
            timeout=LIMIT_S,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return call


@contextlib.contextmanager
def sal_paused(heroctl: Heroctl) -> Iterator[None]:
    """Keep SAL jobs waiting, so that a test may take as long as it likes before they start."""
    assert heroctl("pause", "sal").returncode == 0
    try:
        yield
    finally:
        heroctl("resume", "sal")


def environment(url: str) -> dict[str, str]:
    """The environment of the tests, without the HERO_ settings of the person who runs them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    kept["COLUMNS"] = "300"  # typer frames its messages; this keeps each on one line
    return {**kept, "HERO_REDIS_URL": url} if url else kept
