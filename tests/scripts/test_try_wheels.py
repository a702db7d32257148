"""Three commands lead from the wheels of a release to a job in a browser, on a machine without a compiler.

The wheels are those of this checkout, as `pip wheel` and scripts/setup make them; scripts/release makes those for other
machines, and tries them with the same script.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/try_wheels"


def commands_of(page: str) -> list[str]:
    """Give the commands of the block that begins with the environment `hero`, without comments."""
    (block,) = re.findall(r"```console\n(python3 -m venv hero\n.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return [line.partition("  #")[0].rstrip() for line in block.splitlines()]


def test_readme_guide_and_script_have_the_same_three_commands() -> None:
    commands = [
        "python3 -m venv hero",
        "hero/bin/pip install --find-links dist/VERSION hero-runtime",
        "hero/bin/hero-dev",
    ]

    assert commands_of("README.md") == commands_of("docs/how-to/install.md") == commands
    lines = re.sub(r"--quiet --disable-pip-version-check ", "", SCRIPT.read_text("utf-8")).splitlines()
    run = [line.replace('"$wheels"', "dist/VERSION").replace('"$python"', "python3") for line in lines]
    assert [[line for line in run if command in line] for command in commands] == [
        [commands[0]], ["PIP_ONLY_BINARY=:all: " + commands[1]], [commands[2] + " >shown 2>&1 &"]
    ]  # fmt: skip


@pytest.mark.parametrize("words", [[], ["no such folder"], [".", "."]])
def test_anything_but_one_folder_is_refused_with_the_usage(words: list[str]) -> None:
    ended = subprocess.run([SCRIPT, *words], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (2, "usage: scripts/try_wheels FOLDER, where FOLDER has the wheels\n")


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_wheels_alone_give_a_page_and_a_job_of_each_type(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}"]
    subprocess.run([*pip, "wheel", *options, ROOT], check=True)
    (engine,) = (Path(sys.prefix) / "wheels").glob("rhai_py-*.whl")
    shutil.copy(engine, wheels)

    ended = subprocess.run([SCRIPT, wheels], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert re.fullmatch(r"try_wheels: hero-dev is up \d+ s after the first command", said[0])
    assert said[1:] == [
        "try_wheels: the web page answers",
        "try_wheels: osis: 42",
        "try_wheels: sal: [1,4]",
        'try_wheels: python: [{"id":1,"action":"play.echo","result":"hello"}]',
        "try_wheels: v: says that herolib is missing",
        "try_wheels: the folder has no wheel for aarch64",
        "try_wheels: all as expected",
    ]
