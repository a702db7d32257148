"""Fails a module whose tests leave an environment behind that differs from the one that the run began with.

What a test leaves in `os.environ` reaches every process that later tests start. They may then test something else, or
run their commands more slowly: `forked_programs.py` executes a command whose environment it does not know. A fixture of
the whole session must leave the environment alone, too, so a module's end is early enough to look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

#: Variables that pytest itself sets while tests run.
_OF_PYTEST = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}

#: The environment before any test module is imported.
_before = {name: value for name, value in os.environ.items() if name not in _OF_PYTEST}


@pytest.fixture(scope="module", autouse=True)
def environment_is_kept() -> Iterator[None]:
    """Compare the environment when all other fixtures of a module have ended, and put it right for the next one."""
    yield
    now = {name: value for name, value in os.environ.items() if name not in _OF_PYTEST}
    if now != _before:
        changed = sorted(name for name in {*now, *_before} if now.get(name) != _before.get(name))
        for name in changed:
            os.environ.pop(name, None)
        os.environ.update({name: _before[name] for name in changed if name in _before})
        pytest.fail(f"left changed in os.environ: {', '.join(changed)}")
