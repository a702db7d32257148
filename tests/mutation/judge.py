"""Applies one mutant at a time and asks the tests.

The change is made in the work tree itself, because packages, programs and child processes are found there. The
original text is kept beside the results until it is back; after a run that was killed, the next one restores it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from tests.branches import prepare
from tests.mutation.choose import ROOT, Contexts, mirror_of
from tests.mutation.mutant import Mutant

STATE = ROOT / ".mutation"
_KEPT = STATE / "restore.json"
#: How long tests may take with a mutant, compared with without it, and so many seconds more.
_SLOWER, _MORE_S = 5, 120
_FOLDER_S = 1800


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed, or did not end."""
    SURVIVED = "survived"
    """No test noticed."""
    BROKEN = "broken"
    """It does not compile, so it says nothing."""


def measure_contexts(folders: Sequence[str], *, refresh: bool) -> Contexts:
    """Run tests once without any change, and note what each of them runs.

    Args:
        folders: The tests.
        refresh: Do so even if it is known for these folders.

    Raises:
        RuntimeError: A test fails without any change.
    """
    name = "-".join(folder.replace("/", ".") for folder in folders)
    noted, arms = STATE / f"{name}.contexts", STATE / f"{name}.arms"
    if refresh or not noted.exists():
        noted.parent.mkdir(exist_ok=True)
        part = noted.with_suffix(".part")
        part.unlink(missing_ok=True)
        prepare.begin(calls=True)
        try:
            code = _pytest(["-p", "tests.mutation.contexts", f"--contexts={part}", *folders], None)
        finally:
            prepare.end()
        if code != 0:
            raise RuntimeError(f"tests of {name} fail without any change")
        arms.write_bytes((prepare.FOLDER / "arms.json").read_bytes())
        part.rename(noted)
    return Contexts.read(arms, noted)


def restore() -> None:
    """Put back what a run that was killed has left changed."""
    if _KEPT.exists():
        kept = json.loads(_KEPT.read_text())
        _write(ROOT / kept["path"], kept["text"], kept["mtime_ns"])
        _KEPT.unlink()


@contextmanager
def applied(mutant: Mutant, number: int) -> Iterator[None]:
    """Change the file meanwhile.

    Args:
        mutant: The change.
        number: Makes the file's time unique, because Python takes compiled code of the same time and size for current.
    """
    file = ROOT / mutant.path
    text, mtime_ns = file.read_text(), file.stat().st_mtime_ns
    STATE.mkdir(exist_ok=True)
    _KEPT.write_text(json.dumps({"path": mutant.path, "text": text, "mtime_ns": mtime_ns}))
    try:
        _write(file, mutant.applied_to(text), mtime_ns + (number + 1) * 2_000_000_000)
        yield
    finally:
        restore()


def judge(mutant: Mutant, number: int, contexts: Contexts) -> tuple[Verdict, str]:
    """Try one mutant: first on the tests that run its line, then on those of its folder.

    Returns:
        The verdict, and which tests noticed: "line", "folder" or "".
    """
    first = contexts.tests_of(mutant)
    with applied(mutant, number):
        if not _compiles(mutant):
            return Verdict.BROKEN, ""
        if first:
            seconds = sum(contexts.tests[name][0] for name in first)
            if _pytest(["-x", *first], seconds * _SLOWER + _MORE_S) != 0:
                return Verdict.KILLED, "line"
        for folder in mirror_of(mutant.path):
            if _pytest(["-x", *(f"--deselect={name}" for name in first), folder], _FOLDER_S) not in (0, 5):
                return Verdict.KILLED, "folder"
    return Verdict.SURVIVED, ""


def _compiles(mutant: Mutant) -> bool:
    """Tell whether the store accepts all scripts. A Python mutant always compiles."""
    if not mutant.path.endswith(".lua"):
        return True
    return subprocess.run([sys.executable, "-m", "tests.mutation.load_scripts"], cwd=ROOT, check=False).returncode == 0


def _pytest(arguments: Sequence[str], limit_s: float | None) -> int:
    """Run tests; return pytest's exit code, or 1 if they took too long."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return 1
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what the tests have started and not ended, which a mutant may cause."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        for _ in range(20):
            time.sleep(0.05)
            os.killpg(process.pid, 0)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _write(file: Path, text: str, mtime_ns: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(mtime_ns, mtime_ns))
