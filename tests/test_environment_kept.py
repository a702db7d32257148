"""A module that leaves a changed environment fails, and no later one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEAKS = """
import os
import pytest

@pytest.fixture(scope="{scope}")
def leak():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERO_LEFT", "here")
        patch.delenv("HERO_WANTED")
        yield

def test_{scope}(leak):
    assert os.environ["HERO_LEFT"]
"""
INNOCENT = """
import os

def test_innocent():
    assert "HERO_LEFT" not in os.environ
    assert os.environ["HERO_WANTED"] == "yes"
"""


def test_fixture_of_the_session_that_changes_the_environment_fails_its_module_and_no_later_one(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.environment_kept import environment_is_kept\n")
    (tmp_path / "test_a.py").write_text(LEAKS.format(scope="module"))
    (tmp_path / "test_b.py").write_text(LEAKS.format(scope="session"))
    (tmp_path / "test_c.py").write_text(INNOCENT)
    # Plugins of the environment, such as xdist, are not needed.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HERO_WANTED": "yes", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "left changed in os.environ: HERO_LEFT, HERO_WANTED" in done.stdout
    assert "ERROR test_b.py::test_session - Failed" in done.stdout, done.stdout
    assert "3 passed, 1 error" in done.stdout, done.stdout
