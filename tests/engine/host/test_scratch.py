"""Scratch folders, and opening files beneath a folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hero_engine.engine import Done
from hero_engine.host.places import scratch
from hero_engine.host.places.confined import Outside, open_beneath, walk
from tests.engine.host.bench_script import ScriptBench


def test_scratch_is_private_to_its_run_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "_base", None)
    bench = ScriptBench()
    seen: list[tuple[int, int]] = []
    line = bench.log.line

    def look(level: str, text: str) -> None:
        seen.extend(
            (stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE(folder.parent.stat().st_mode))
            for folder in tmp_path.glob("hero-scratch-*/*")
        )
        line(level, text)

    monkeypatch.setattr(bench.log, "line", look)

    assert bench.run("file_write(`a`, `1`); print(1); exist(`a`)") == Done("true", "true")
    assert seen == [(0o700, 0o700)]
    assert list(tmp_path.glob("hero-scratch-*/*")) == []
    assert bench.run("exist(`a`)") == Done("false", "false")


def test_scratch_is_removed_however_deep_it_is_and_whatever_its_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "_base", None)

    outcome = ScriptBench().run(
        "let path = ``; for i in 0..900 { path += `d/`; }"
        "mkdir(path); chdir(path); mkdir(path); file_write(`x`, `1`); chdir(path); ()"
    )

    assert outcome == Done("")
    assert list(tmp_path.glob("hero-scratch-*/*")) == []


def test_scratch_of_a_process_that_died_is_removed_and_that_of_a_living_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "_base", None)
    program = (
        "import os, signal; from hero_engine.host.places import scratch; path = scratch.new_scratch();"
        "os.makedirs(path + '/a/b'); open(path + '/a/c', 'w').close(); os.chmod(path + '/a', 0);"
        "print(path, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    dead = subprocess.run(
        [sys.executable, "-c", program], check=False, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    own = scratch.new_scratch()
    (tmp_path / "hero-scratch-0-link").symlink_to(own)
    assert Path(dead).is_dir()

    assert scratch.clean_left_scratch() == 1

    assert not Path(dead).parent.exists()
    assert Path(own).is_dir()


@pytest.mark.parametrize("path", ["a/../b", "a/./b/../../a/b", "a/..", ""])
def test_walk_goes_up_and_down_inside(tmp_path: Path, path: str) -> None:
    (tmp_path / "top/a/b").mkdir(parents=True)
    (tmp_path / "top/b").mkdir()
    folder = os.open(tmp_path / "top", os.O_PATH)
    for fd in (walk(folder, path, os.O_RDONLY), open_beneath(folder, path, os.O_RDONLY)):
        assert Path(f"/proc/self/fd/{fd}").samefile(tmp_path / "top" / path)
        os.close(fd)
    os.close(folder)


@pytest.mark.parametrize("path", ["..", "a/../..", "/etc", "a/../../top/a"])
def test_walk_leads_nowhere_outside(tmp_path: Path, way: str, path: str) -> None:
    (tmp_path / "top/a").mkdir(parents=True)
    folder = os.open(tmp_path / "top", os.O_PATH)
    count = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(Outside):
        open_beneath(folder, path, os.O_RDONLY)

    assert len(list(Path("/proc/self/fd").iterdir())) == count
    os.close(folder)
