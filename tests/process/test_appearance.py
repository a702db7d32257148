"""A process that was forked can show the arguments and the environment that it would have if it had been executed."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from hero_process.mark import mark_of
from hero_process.proc import arguments_of, environ_of

PROGRAM = """
import sys
from hero_process.appearance import set_appearance
for _ in range(2):
    set_appearance(["first"], {})
    set_appearance(["program", "--flag", "x" * 5000, "\\udcff"], {"HERO_INCARNATION": "osis-1.here", "NAME": "\\u00e4"})
grown = [bytearray(1000) for _ in range(10_000)]  # the heap still grows
print("shown", flush=True)
sys.stdin.read()
"""


def test_arguments_and_environment_are_those_that_were_set() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "OLD": "1"}
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"shown\n"
        assert arguments_of(process.pid) == ["program", "--flag", "x" * 5000, "\ufffd", ""]
        assert psutil.Process(process.pid).cmdline()[:2] == ["program", "--flag"]
        assert environ_of(process.pid) == [b"HERO_INCARNATION=osis-1.here", "NAME=ä".encode(), b""]
        assert mark_of(process.pid) == "osis-1.here"
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.parametrize("environ", [{}, {"ONLY": "one"}])
def test_processes_that_it_starts_inherit_its_real_environment(environ: dict[str, str]) -> None:
    program = (
        "import os, subprocess, sys\n"
        "from hero_process.appearance import set_appearance\n"
        f"set_appearance(['program'], {environ!r})\n"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"REAL\"])'], check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "REAL": "yes"}, capture_output=True, check=True
    )
    assert done.stdout == b"yes\n"
