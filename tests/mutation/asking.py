"""Runs pytest on chosen tests, and tells which test failed or did not end. `judge.py` is the caller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.choose import ROOT

#: How long a test may take, compared with the time that is known of it, and so many seconds more.
_SLOWER, _MORE_S = 10, 60.0
#: The same for a test of which nothing is known, and for what happens between tests.
_UNKNOWN_S = 300.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of tests has said."""

    passed: bool
    """No test failed. This holds also if there was none."""

    test: str
    """The test that failed or did not end; empty if none did, or if pytest could not begin."""

    ended: bool = True
    """It ended in time."""


def ask(tests: Sequence[str], seconds: Mapping[str, float], *, spared: Sequence[str] = ()) -> Answer:
    """Run tests up to the first that fails.

    Args:
        tests: Tests, files or folders.
        seconds: Test -> how long it takes, as far as it is known.
        spared: Tests that are not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        watched = Path(folder) / "watched"
        watched.touch()
        without = [f"--deselect={test}" for test in spared]
        code = _pytest(
            ["-x", "-p", "tests.mutation.watched", f"--watched={watched}", *without, *tests], watched, seconds
        )
        what, test = _last(watched)
    # 5 is "no test": all were spared.
    return Answer(True, "") if code in (0, 5) else Answer(False, "" if what == "passed" else test, code is not None)


def limit_of(test: str, seconds: Mapping[str, float]) -> float:
    """Return how many seconds a test may take; "" stands for what happens between tests."""
    known = seconds.get(test)
    return _UNKNOWN_S if known is None else known * _SLOWER + _MORE_S


def collects(tests: Sequence[str]) -> bool:
    """Tell whether pytest finds tests and can import them."""
    return _pytest(["--collect-only", *tests], None, {}) in (0, 5)


def warm_up(folders: Sequence[str]) -> None:
    """Have Python compile the product and the tests: otherwise each run of the tests does so.

    A mutant is never compiled to a file, and its own time tells Python that the file beside it is not current.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", *folders]
    product = [sys.executable, "-m", "compileall", "-q", "actors", "config", "engines", "supervisor"]
    for command in (product, tests):
        subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=False)


def run(arguments: Sequence[str]) -> int:
    """Run pytest without any limit; return its exit code."""
    code = _pytest(arguments, None, {})
    assert code is not None
    return code


def _pytest(arguments: Sequence[str], watched: Path | None, seconds: Mapping[str, float]) -> int | None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            while process.poll() is None:
                if watched is not None and _is_late(watched, seconds):
                    return None
                time.sleep(_POLL_S)
            return process.returncode
        finally:
            _end_group(process)


def _is_late(watched: Path, seconds: Mapping[str, float]) -> bool:
    what, test = _last(watched)
    return time.time() - watched.stat().st_mtime > limit_of(test if what == "began" else "", seconds)


def _last(watched: Path) -> tuple[str, str]:
    complete, _, _ = watched.read_text().rpartition("\n")
    if not complete:
        return "", ""
    what, test = json.loads(complete.rpartition("\n")[2])
    return what, test


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what the tests have started and not ended, which a mutant may cause."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        for _ in range(20):
            time.sleep(0.05)
            process.poll()
            os.killpg(process.pid, 0)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
