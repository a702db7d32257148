"""Tells how many branches the tests took: `pytest -p tests.branches.plugin`, after `tests.branches.prepare`.

scripts/test is the caller. `--branch-floor=90` fails a run that took fewer per cent; without a floor, the summary names
each arm that was not taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.branches.prepare import FOLDER

#: How many modules a measurement of the whole suite names.
_NAMED = 15


@dataclass(frozen=True, slots=True)
class MeasuredModule:
    """Which arms of a module's branches were taken."""

    path: str
    """Its path in the repository."""

    arms: int
    """How many arms its branches have."""

    missed: list[str]
    """The others, as `LINE WAY`."""


def measured(folder: Path = FOLDER) -> list[MeasuredModule]:
    """Return the modules that have branches; the one with the most missed arms comes first."""
    taken = (folder / "taken").read_bytes()
    modules = []
    first = 0
    for path, arms in json.loads((folder / "arms.json").read_text()).items():
        missed = [f"{line} {way}" for index, (line, way) in enumerate(arms, first) if not taken[index]]
        first += len(arms)
        if arms:
            modules.append(MeasuredModule(path, len(arms), missed))
    return sorted(modules, key=lambda module: len(module.missed), reverse=True)


def per_cent(modules: list[MeasuredModule]) -> float:
    """Return how much of the branches' arms was taken."""
    arms = sum(module.arms for module in modules)
    return 100 * (arms - sum(len(module.missed) for module in modules)) / arms


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the floor."""
    parser.addoption("--branch-floor", type=float, help="fail if the tests take less than this of the branches, in %%")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that is below the floor."""
    floor = session.config.getoption("branch_floor")
    if exitstatus != pytest.ExitCode.OK or floor is None or hasattr(session.config, "workerinput"):
        return
    if per_cent(measured()) < floor:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write what was measured above pytest's own last line."""
    modules = measured()
    floor = config.getoption("branch_floor")
    terminalreporter.section("branches that no test takes")
    for module in modules[: _NAMED if floor is not None else None]:
        if not module.missed:
            break
        places = "" if floor is not None else f": {', '.join(module.missed)}"
        terminalreporter.write_line(f"{len(module.missed):4} of {module.arms:4}  {module.path}{places}")
    verdict = "" if floor is None else f"; the floor is {floor:g} %"
    terminalreporter.write_line(f"branches: {per_cent(modules):.2f} % taken{verdict}")
