"""Asks tests in processes that are forked from one that has collected them. `judge.py` is the caller.

A fresh process needs seconds to import the product and collect the tests; a fork needs none. See `template.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.mutation.asking import Answer, limit_of
from tests.mutation.choose import ROOT
from tests.mutation.mutant import Mutant

_START_S = 300.0


class Forks:
    """The process that has collected the tests of some folders.

    Args:
        folders: The tests.

    Raises:
        RuntimeError: It could not collect them.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._lines: queue.Queue[list[object]] = queue.Queue()
        # In memory if possible, because dozens of stores sync each write.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="m", dir=memory))
        self._folder.chmod(0o711)  # some tests run programs as another user
        environ = {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self._folder)}
        questions, self._questions = os.pipe()
        self._answers, answers = os.pipe()
        pipes = [f"--questions={questions}", f"--answers={answers}"]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutation.template"]
        self._process = subprocess.Popen(
            [*command, *pipes, *folders], cwd=ROOT, env=os.environ | environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(questions, answers),
        )  # fmt: skip
        os.close(questions)
        os.close(answers)
        threading.Thread(target=self._read, daemon=True).start()
        if self._next(_START_S)[0] != "ready":
            raise RuntimeError(f"pytest could not collect the tests of {', '.join(folders)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._questions)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(
        self, mutant: Mutant, tests: Sequence[str], seconds: Mapping[str, float], *, spared: Sequence[str] = ()
    ) -> Answer | None:
        """Run tests up to the first that fails, with the change that is in the work tree.

        Args:
            mutant: The change.
            tests: Tests, files or folders.
            seconds: Test -> how long it takes, as far as it is known.
            spared: Tests that are not run.

        Returns:
            None if a fork cannot take over this change: then only a new process can.
        """
        folder = Path(tempfile.mkdtemp(prefix="t", dir=self._folder))
        folder.chmod(0o711)
        question = {
            "path": mutant.path, "line": mutant.line, "folder": str(folder),
            "tests": list(tests), "spared": list(spared),
        }  # fmt: skip
        os.write(self._questions, json.dumps(question).encode() + b"\n")
        try:
            return self._answer(seconds)
        finally:
            for left in self._folder.iterdir():
                shutil.rmtree(left, ignore_errors=True)

    def _answer(self, seconds: Mapping[str, float]) -> Answer | None:
        child, what, test, late = 0, "", "", False
        limit_s = limit_of("", seconds)
        while True:
            said = self._next(limit_s)
            match said:
                case ["late"]:
                    late = True
                    _end_group(child)
                case ["forked", int() as child]:
                    pass
                case ["began" | "failed" | "passed" as what, str() as test]:
                    limit_s = limit_of(test if what == "began" else "", seconds)
                case ["ended", int() as code]:
                    _end_group(child)
                    if late:
                        return Answer(False, "" if what == "passed" else test, ended=False)
                    if code == 3:
                        return None
                    if code == 4:
                        raise RuntimeError("a fork could not ask the tests; its traceback says why")
                    return (
                        Answer(True, "")
                        if code in (0, 5)
                        else Answer(False, "" if what == "passed" else test, not late)
                    )
                case _:
                    raise RuntimeError(f"the process that forks the tests has ended: {said}")

    def _next(self, limit_s: float) -> list[object]:
        try:
            return self._lines.get(timeout=limit_s)
        except queue.Empty:
            return ["late"]

    def _read(self) -> None:
        with os.fdopen(self._answers) as answers:
            for line in answers:
                self._lines.put(json.loads(line))
        self._lines.put(["gone"])


def _end_group(leader: int) -> None:
    """End what the tests have started and not ended, and the fork itself if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
        time.sleep(0.05)
        os.killpg(leader, signal.SIGKILL)
