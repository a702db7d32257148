"""Tells which files use the most processor time, which is what limits the whole suite: `-p tests.processor_time`.

scripts/test is the caller. Each process of pytest-xdist measures itself, the processes that it has waited for, and its
servers of forks. What a test leaves to others to wait for, such as the actors of a killed supervisor, is missing. At
the end of a run with `--durations`, the process that has started the others prints the sum of each file.
"""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked_programs import server_pids

#: How many files are printed.
_NAMED = 10

#: What each file has used so far, in seconds: in a process of pytest-xdist that it has run, in the other all of them.
_used: defaultdict[str, float] = defaultdict(float)


def processor_s() -> float:
    """Return the processor time that this process has used by itself and by others."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used) + sum(map(_with_children_s, server_pids()))


def _with_children_s(pid: int) -> float:
    """Return what a process and those that it has waited for have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Add the time of a test, with its fixtures, to that of its file."""
    before = processor_s()
    try:
        return (yield)
    finally:
        _used[item.nodeid.partition("::")[0]] += processor_s() - before


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the sums to the process that has started this one."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["processor_s"] = dict(_used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the sums of a process that has ended. One that has crashed has none."""
    for name, used_s in getattr(node, "workeroutput", {}).get("processor_s", {}).items():
        _used[name] += used_s


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the sums if the run tells durations."""
    if config.getoption("durations") is None or hasattr(config, "workerinput"):
        return
    terminalreporter.section("files with the most processor time")
    for name, used_s in sorted(_used.items(), key=lambda used: -used[1])[:_NAMED]:
        terminalreporter.write_line(f"{used_s:.1f} s  {name}")
    terminalreporter.write_line(f"{sum(_used.values()):.1f} s  all")
