"""What a parent leaves to its child in a bad state is put right, or refused by its name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, resource, signal, sys
from hero_process.inherited import InheritedUnusable, raise_file_limit, reset_inherited
try:
    reset_inherited(service=True)
except InheritedUnusable as e:
    sys.exit(str(e))
raise_file_limit()
mask = os.umask(0)
report = {
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "ignored": [int(n) for n in (17, 15, 10) if signal.getsignal(n) is signal.SIG_IGN],
    "umask": mask,
    "opened": os.open(os.devnull, os.O_RDONLY),
    "streams": None not in (sys.stdin, sys.stdout, sys.stderr),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
}
open(sys.argv[1], "w").write(json.dumps(report))
"""


def report_of(tmp_path: Path, before: Callable[[], object]) -> dict[str, Any]:
    path = tmp_path / "report"
    # Runs in the child, between fork and exec: it does what a careless parent does.
    subprocess.run([sys.executable, "-c", PROGRAM, str(path)], preexec_fn=before, check=True, timeout=300)
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def ignore() -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def close_streams() -> None:
    for fd in (0, 1, 2):
        os.close(fd)


@pytest.mark.parametrize(
    "before",
    [block, ignore, close_streams, lambda: os.umask(0o777), lambda: os.umask(0)],
    ids=["blocked", "ignored", "closed", "umask 777", "umask 0"],
)
def test_a_bad_state_is_put_right(tmp_path: Path, before: Callable[[], object]) -> None:
    report = report_of(tmp_path, before)

    assert (report["blocked"], report["ignored"], report["streams"]) == (0, [], True)
    assert report["opened"] > 2
    assert report["umask"] & 0o722 == 0o022


def test_a_folder_that_is_gone_is_refused_by_its_name(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave() -> None:
        os.chdir(gone)
        gone.rmdir()

    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "report")]
    run = subprocess.run(command, preexec_fn=leave, capture_output=True, timeout=300, check=False)
    assert run.returncode == 1
    assert b"the folder in which it was started no longer exists" in run.stderr


@pytest.mark.parametrize(
    ("redirection", "code"),
    [("run - <&-", 2), ("functions >/dev/full", 1), ("functions >&-", 0), ("bad <&- >&- 2>&-", 2)],
)
def test_heroctl_says_one_line_when_a_standard_stream_is_closed_or_full(redirection: str, code: int) -> None:
    heroctl = Path(sys.executable).with_name("heroctl")
    run = subprocess.run(["/bin/sh", "-c", f"{heroctl} {redirection}"], capture_output=True, timeout=300, check=False)
    assert run.returncode == code
    assert b"Traceback" not in run.stderr
    assert run.stderr.count(b"\n") <= 4
