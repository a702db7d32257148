"""The files that use the most processor time are told at the end of a run, with what their children use."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUSY = """
import subprocess, sys, time

def test_busy():
    work = "import time\\nwhile time.process_time() < 1: pass"
    subprocess.run([sys.executable, "-S", "-c", work], check=True)
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_file_whose_child_computes_comes_first(tmp_path: Path, processes: str) -> None:
    (tmp_path / "test_a.py").write_text("import time\n\ndef test_waits():\n    time.sleep(1)\n")
    (tmp_path / "test_b.py").write_text(BUSY)
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.processor_time", "--durations=1", "-n", processes]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--dist=loadfile", f"--rootdir={tmp_path}", str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    told = re.findall(r"^([0-9.]+) s  (.*)$", done.stdout, re.MULTILINE)
    assert [name for _, name in told] == ["test_b.py", "test_a.py", "all"], done.stdout
    assert float(told[0][0]) >= 1 > float(told[1][0])
