"""Applies one mutant at a time and asks the tests.

The change is made in the work tree itself, because packages, programs and child processes are found there. The
original text is kept beside the results until it is back; after a run that was killed, the next one restores it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from tests.branches import prepare
from tests.mutation.asking import Answer, ask, collects, run
from tests.mutation.choose import ROOT, Contexts, mirror_of
from tests.mutation.forks import Forks
from tests.mutation.mutant import Mutant

STATE = ROOT / ".mutation"
_KEPT = STATE / "restore.json"


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed twice with it, or did not end twice, and passed without it."""
    SURVIVED = "survived"
    """None of the tests that were asked noticed."""
    BROKEN = "broken"
    """It does not compile, so it says nothing."""


def measure_contexts(folders: Sequence[str], *, refresh: bool) -> Contexts:
    """Run tests once without any change, and note what each of them runs.

    Args:
        folders: The tests.
        refresh: Do so even if it is known for these folders.

    Raises:
        RuntimeError: The tests did not run to their end. One that fails is left out from then on.
    """
    name = "-".join(folder.replace("/", ".") for folder in folders)
    noted, arms = STATE / f"{name}.contexts", STATE / f"{name}.arms"
    if refresh or not noted.exists():
        noted.parent.mkdir(exist_ok=True)
        part = noted.with_suffix(".part")
        part.unlink(missing_ok=True)
        prepare.begin(calls=True)
        try:
            code = run(["-p", "tests.mutation.contexts", f"--contexts={part}", *folders])
        finally:
            prepare.end()
        if code not in (0, 1):
            raise RuntimeError(f"tests of {name} did not run to their end: pytest's exit code is {code}")
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


def judge(
    mutant: Mutant, number: int, contexts: Contexts, *, seconds: float, folders: bool, forks: Forks | None = None
) -> tuple[Verdict, str]:
    """Try one mutant: first on the tests that run its line, then on those of its folder.

    Args:
        mutant: The change.
        number: Unique in this run.
        contexts: Which tests run which line.
        seconds: How many seconds of tests that run the line are asked.
        folders: Ask the tests of the folder as well.
        forks: Asks faster, where it can.

    Returns:
        The verdict, and the test that noticed, or "" if none did.
    """
    with applied(mutant, number):
        if not _compiles(mutant):
            return Verdict.BROKEN, ""
    first = contexts.tests_of(mutant, seconds)
    if first and (test := noticing(mutant, number, first, contexts, [], forks)):
        return Verdict.KILLED, test
    for folder in mirror_of(mutant.path) if folders else ():
        if test := noticing(mutant, number, [folder], contexts, first, forks):
            return Verdict.KILLED, test
    return Verdict.SURVIVED, ""


def noticing(
    mutant: Mutant,
    number: int,
    tests: Sequence[str],
    contexts: Contexts,
    spared: Sequence[str],
    forks: Forks | None = None,
) -> str:
    """Find a test that notices a mutant.

    A test notices if it fails twice with the mutant and passes without it: a slow machine, or a test that fails now
    and then, kills nothing. Other tests that fail are left out. Without the mutant it has passed when the contexts were
    measured; if it did not end, or was not measured, it is run once more.

    Args:
        mutant: The change.
        number: Unique in this run.
        tests: Which tests are asked.
        contexts: What is known of them.
        spared: Tests that are not asked.
        forks: Asks faster, where it can.

    Returns:
        The test; "" if there is none.
    """
    spared = [*contexts.failing, *spared]
    while True:
        with applied(mutant, number):
            answer = _ask(mutant, tests, contexts, spared, forks)
            if answer.passed:
                return ""
            test, wanted = answer.test, [answer.test] if answer.test else tests
            again = not test or not _ask(mutant, wanted, contexts, [], forks).passed
        if again and (_passes(answer, contexts) if test else collects(tests)):
            return test or "none could begin"
        if not test:
            raise RuntimeError(f"tests cannot begin without any change: {' '.join(tests)}")
        spared.append(test)


def _ask(
    mutant: Mutant, tests: Sequence[str], contexts: Contexts, spared: Sequence[str], forks: Forks | None
) -> Answer:
    answer = forks.ask(mutant, tests, contexts.seconds, spared=spared) if forks else None
    return answer or ask(tests, contexts.seconds, spared=spared)


def _passes(answer: Answer, contexts: Contexts) -> bool:
    """Tell whether the test that failed passes without any change."""
    if answer.ended and answer.test in contexts.tests and answer.test not in contexts.failing:
        return True
    return ask([answer.test], contexts.seconds).passed


def _compiles(mutant: Mutant) -> bool:
    """Tell whether the store accepts all scripts. A Python mutant always compiles."""
    if not mutant.path.endswith(".lua"):
        return True
    return subprocess.run([sys.executable, "-m", "tests.mutation.load_scripts"], cwd=ROOT, check=False).returncode == 0


def _write(file: Path, text: str, mtime_ns: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(mtime_ns, mtime_ns))
