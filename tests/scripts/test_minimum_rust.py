"""The least version of Rust that builds the script engine is the same wherever a reader or a program learns it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "engines/rhai-py"
MINIMUM: str = tomllib.loads((CRATE / "Cargo.toml").read_text("utf-8"))["package"]["rust-version"]


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("engines/rhai-py/native/Cargo.toml", r'^rust-version = "([\d.]+)"$'),
        ("engines/rhai-py/README.md", r"Rust toolchain\s+\(([\d.]+) or newer\)"),
        ("README.md", r"Rust toolchain\s+\(([\d.]+) or newer"),
        ("CONTRIBUTING.md", r"Rust toolchain\s+\(([\d.]+) or newer"),
        ("docs/how-to/install.md", r"Rust toolchain\s+\(([\d.]+) or newer"),
        ("scripts/setup", r"^rust=([\d.]+)$"),
        ("scripts/check", r"^rust=([\d.]+)$"),
    ],
)
def test_every_place_names_the_minimum_of_the_crate(file: str, pattern: str) -> None:
    assert re.findall(pattern, (ROOT / file).read_text("utf-8"), re.MULTILINE) == [MINIMUM]


def test_no_crate_of_the_lock_file_needs_a_newer_rust() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("no cargo")
    words = [cargo, "metadata", "--locked", "--offline", "--format-version=1"]
    words += ["--filter-platform=x86_64-unknown-linux-gnu", f"--manifest-path={CRATE / 'Cargo.toml'}"]
    told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    needed = {one["name"]: one["rust_version"] for one in told["packages"] if one["rust_version"]}

    assert len(needed) > 20
    assert {name: least for name, least in needed.items() if version(least) > version(MINIMUM)} == {}


@pytest.mark.parametrize(("found", "complaint"), [("1.63.0", "cargo is 1.63.0: "), (None, "no 'cargo': ")])
def test_setup_says_what_to_install_where_cargo_is_missing_or_old(
    tmp_path: Path, found: str | None, complaint: str
) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "engines/rhai-py").mkdir(parents=True)
    (tmp_path / ".cargo").mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/true")
    for program in ("bash", "cat", "cut", "dirname", "find", "mkdir", "sha256sum", "sort", "xargs"):
        (programs / program).symlink_to(shutil.which(program) or program)
    if found:
        (programs / "cargo").write_text(f"#!/bin/sh\necho 'cargo {found} (abc 2022-01-01)'\n")
        (programs / "cargo").chmod(0o755)
    environment = os.environ | {"PATH": str(programs)}

    ended = subprocess.run([tmp_path / "scripts/setup"], env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert f"Rust {MINIMUM} or newer" in ended.stderr
