"""Has collected all tests once, and forks a process for each question: `pytest -p tests.mutation.template FOLDER`.

`Template` in `asking.py` starts this as a program. A question is one line of JSON on the standard input: a changed file
with its line, and names of tests or folders. The forked process takes over the changed file, runs the tests up to the
first that fails, and writes one line when a test begins and one for its end. This process runs no test, so each fork
begins with nothing started.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

import pytest

from tests.mutation.swapped import note_functions, swap


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for the two pipes."""
    parser.addoption("--questions", type=int, help="file descriptor of the questions")
    parser.addoption("--answers", type=int, help="file descriptor of the answers")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Answer questions until there are no more."""
    with (
        os.fdopen(session.config.getoption("questions")) as questions,
        os.fdopen(session.config.getoption("answers"), "w", buffering=1) as answers,
    ):
        for pipe in (questions, answers):
            os.set_inheritable(pipe.fileno(), False)  # the tests start programs
        note_functions()
        _write(answers, ["ready", len(session.items)])
        for line in questions:
            question = json.loads(line)
            child = os.fork()
            if child == 0:
                os.setsid()
                _answer(session, question, answers)
            _write(answers, ["forked", child])
            _, status = os.waitpid(child, 0)
            _write(answers, ["ended", os.waitstatus_to_exitcode(status)])
    return True


def _answer(session: pytest.Session, question: dict[str, object], answers: TextIO) -> None:
    """Run tests in a forked process, and end it."""
    code = 4
    try:
        path, line, folder = str(question["path"]), question["line"], str(question["folder"])
        assert isinstance(line, int)
        # Private, but each fork needs a folder of its own, and this process ends without the hooks that remove it.
        session.config._tmp_path_factory._basetemp = Path(folder)  # type: ignore[attr-defined]
        code = _run(session, _chosen(session, question), answers) if swap(path, line) else 3
    except BaseException:  # the process must not return into pytest of its parent
        sys.excepthook(*sys.exc_info())
    finally:
        answers.flush()
        os._exit(code)


def _chosen(session: pytest.Session, question: dict[str, object]) -> list[pytest.Item]:
    wanted, spared = question["tests"], question["spared"]
    assert isinstance(wanted, list)
    assert isinstance(spared, list)
    by_name = {item.nodeid: item for item in session.items}
    chosen: dict[str, pytest.Item] = {}
    for name in wanted:
        if name in by_name:
            chosen[name] = by_name[name]
        else:
            chosen |= {one: item for one, item in by_name.items() if one.startswith((f"{name}/", f"{name}::"))}
    return [item for name, item in chosen.items() if name not in spared]


def _run(session: pytest.Session, items: list[pytest.Item], answers: TextIO) -> int:
    failed = 0
    for item, following in zip_longest(items, items[1:]):
        _write(answers, ["began", item.nodeid])
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        failed = session.testsfailed
        _write(answers, ["failed" if failed else "passed", item.nodeid])
        if failed:
            # What only the last test would have ended. Whatever goes wrong here, there is a verdict already.
            with contextlib.suppress(Exception, pytest.fail.Exception):
                session._setupstate.teardown_exact(None)
            break
    return 1 if failed else 0 if items else 5


def _write(answers: TextIO, line: list[object]) -> None:
    answers.write(json.dumps(line) + "\n")
