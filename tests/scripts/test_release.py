"""What scripts/release refuses before it builds anything. That it builds is seen when a release is made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")

PROJECT = '[project]\nname = "x"\nversion = "1.2.0"\n'
CHANGES = "# Changes\n\n## [Unreleased]\n\n- later\n\n## [1.2.0] - 2026-01-01\n\n- new\n\n## [1.1.0]\n\n- old\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with what the script reads, and a `scripts/setup` that says that it was reached."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/release", tmp_path / "scripts")
    (tmp_path / "scripts/setup").write_text("#!/bin/sh\necho reached the build >&2\nexit 9\n")
    (tmp_path / "scripts/setup").chmod(0o755)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    return tmp_path


def release(checkout: Path, *words: str) -> tuple[int, str]:
    ended = subprocess.run([checkout / "scripts/release", *words], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr.strip()


@pytest.mark.parametrize(
    ("file", "text", "words", "complaint"),
    [
        ("", "", [], "release: usage: scripts/release VERSION"),
        ("", "", ["1.3.0"], 'pyproject.toml has version = "1.2.0"; set version = "1.3.0" there first'),
        ("", "", ["1.2"], 'set version = "1.2" there first'),
        ("CHANGELOG.md", CHANGES.replace("[1.2.0]", "[1.2.00]"), ["1.2.0"], "has no section '## [1.2.0]'"),
        ("CHANGELOG.md", CHANGES.replace("- new\n", "\n"), ["1.2.0"], "has no section '## [1.2.0]'"),
        ("CHANGELOG.md", CHANGES + "more\n", ["1.2.0"], "there are changes that are not committed"),
        ("stranger", "x", ["1.2.0"], "there are changes that are not committed"),
    ],
)
def test_release_of_what_is_not_complete_is_refused(
    checkout: Path, file: str, text: str, words: list[str], complaint: str
) -> None:
    if file:
        (checkout / file).write_text(text)

    code, said = release(checkout, *words)

    assert (code, complaint in said) == (2, True), said


def test_complete_version_is_built(checkout: Path) -> None:
    assert release(checkout, "1.2.0") == (9, "reached the build")
