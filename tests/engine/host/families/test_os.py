"""The families `os` and `platform`: what upstream's scripts expect, on files of the run's scratch folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench

BENCH = ScriptBench()
PREPARED = """
    mkdir("in/sub/deep");
    for name in ["a.txt", "b.txt", "c.csv", "sub/d.txt", "sub/deep/e.txt"] { file_write("in/" + name, name); }
"""


def evaluate(source: str) -> str:
    outcome = BENCH.run(PREPARED + source)
    assert isinstance(outcome, Done), outcome
    return outcome.output


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("exist(`in`)", "true"),
        ("exist(`in/x`)", "false"),
        ("exist(`in/a.txt/x`)", "false"),
        ("mkdir(`new/deep`)", "Successfully created directory 'new/deep'"),
        ("mkdir(`in`)", "Directory 'in' already exists"),
        ("delete(`x`)", "Nothing to delete at 'x'"),
        ("delete(`no/such`)", "Nothing to delete at 'no/such'"),
        ("delete(`in/a.txt`)", "Successfully deleted file 'in/a.txt'"),
        ("delete(`in`) + exist(`in`)", "Successfully deleted directory 'in'false"),
        ("copy(`in/a.txt`, `x`)", "Successfully copied file 'in/a.txt' to 'x'"),
        ("copy(`in/a.txt`, `in/sub`)", "Successfully copied file 'in/a.txt' to 'in/sub/a.txt'"),
        ("copy(`in/a.txt`, `new/deep/x`); file_read(`new/deep/x`)", "a.txt"),
        ("copy(`in`, `out`); find_files(`out`, `*`).len()", "5"),
        ("copy(`in`, `out`)", "Successfully copied directory 'in' to 'out'"),
        ("mkdir(`out`); copy(`in`, `out`)", "Successfully copied directory 'in' to 'out/in'"),
        ("copy(`in/*.txt`, `out`)", "Successfully copied 2 items from 'in/*.txt' to 'out'"),
        ("copy(`in/[ac]*`, `out`); find_files(`out`, `*`)", '["out/a.txt","out/c.csv"]'),
        ("copy(`i?/sub/*`, `out`); find_files(`out`, `*`)", '["out/d.txt","out/deep/e.txt"]'),
        ("copy(`in/**/e.txt`, `out`); find_files(`out`, `*`)", '["out/e.txt"]'),
        ("mkdir(`in/out`); copy(`in`, `in/out`); find_files(`in/out`, `*`).len()", "5"),
        ("mv(`in/a.txt`, `x`) + exist(`in/a.txt`)", "Successfully moved file 'in/a.txt' to 'x'false"),
        ("mv(`in/a.txt`, `in/sub`); exist(`in/sub/a.txt`)", "true"),
        ("mv(`in/a.txt`, `new/x`); exist(`new/x`)", "true"),
        ("mv(`in`, `out`)", "Successfully moved directory 'in' to 'out'"),
        ("file_write(`in/a.txt`, ``); file_size(`in/a.txt`)", "0"),
        ("file_write(`new/a`, `text`)", "Successfully wrote to file 'new/a'"),
        ("file_write(`a`, `long text`); file_write(`a`, `x`); file_read(`a`)", "x"),
        (
            "file_write_append(`in/a.txt`, `!`) + file_read(`in/a.txt`)",
            "Successfully appended to file 'in/a.txt'a.txt!",
        ),
        ("file_write_append(`new/a`, `ä`); file_size(`new/a`)", "2"),
        ("find_file(`in`, `*.csv`)", "in/c.csv"),
        ("find_file(`in/`, `sub/*.txt`)", "in/sub/d.txt"),
        ("find_files(`in`, `*.txt`)", '["in/a.txt","in/b.txt","in/sub/d.txt","in/sub/deep/e.txt"]'),
        ("find_files(`in`, `**/deep/*`)", '["in/sub/deep/e.txt"]'),
        ("find_files(`.`, `[!a]*.txt`).len()", "3"),
        ("find_files(`in`, `x`)", "[]"),
        ("find_dir(`in`, `s*`)", "in/sub"),
        ("find_dirs(`in`, `*`)", '["in/sub","in/sub/deep"]'),
        ("chdir(`in/sub`)", "Successfully changed directory to 'in/sub'"),
        ("chdir(`in/sub`); file_read(`d.txt`) + file_read(`../a.txt`)", "sub/d.txta.txt"),
        ("chdir(`in/sub`); chdir(`..`); chdir(`..`); exist(`in`)", "true"),
        ("rsync(`in/`, `out`)", "Successfully synced 'in/' to 'out'"),
        ("file_write(`out/old/x`, `1`); rsync(`in/`, `out`); find_files(`out`, `*`).len()", "5"),
        (
            "mkdir(`out/a.txt`); file_write(`out/sub`, `1`); rsync(`in/`, `out`); file_read(`out/sub/d.txt`)",
            "sub/d.txt",
        ),
        ("rsync(`in`, `out`); exist(`out/in/a.txt`)", "true"),
        ("mkdir(`in/out`); rsync(`in`, `in/out`); find_files(`in/out`, `*`).len()", "5"),
        ("chmod_exec(`in/a.txt`)", "Made in/a.txt executable"),
        ("os::exist(`in`)", "true"),
    ],
)
def test_functions_of_files(source: str, output: str) -> None:
    assert evaluate(source) == output


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("mkdir(`in/a.txt`)", "Path 'in/a.txt' exists but is not a directory"),
        ("mkdir(`in/a.txt/x`)", "Failed to create parent directories: Not a directory"),
        ("copy(`x`, `y`)", "No files found matching 'x'"),
        ("copy(`in/*.x`, `y`)", "No files found matching 'in/*.x'"),
        ("copy(`in/a.txt`, `in/a.txt`)", "Failed to copy file: it would be copied onto itself"),
        ("copy(`in/*.txt`, `in/a.txt`)", "Failed to copy any files: Not a directory"),
        ("mv(`x`, `y`)", "No files found matching 'x'"),
        ("mv(`in`, `in/sub/x`)", "Failed to move 'in' to 'in/sub/x': Invalid argument"),
        ("file_read(`x`)", "No files found matching 'x'"),
        ("file_read(`in`)", "Path 'in' is not a regular file"),
        ("file_size(`x`)", "No files found matching 'x'"),
        ("file_size(`in`)", "Path 'in' is not a regular file"),
        ("file_write(`in`, `x`)", "Failed to write to file: Is a directory"),
        ("file_write_append(`in`, `x`)", "Failed to append to file: Is a directory"),
        ("find_file(`in`, `*.x`)", "No files found matching '*.x'"),
        ("find_file(`x`, `*`)", "Directory 'x' does not exist"),
        ("find_files(`in/a.txt`, `*`)", "Directory 'in/a.txt' does not exist"),
        ("find_dir(`in`, `deep`)", "Directory 'deep' does not exist"),
        ("mkdir(`in/sub2`); find_dir(`in`, `s*`)", "Multiple directories found matching 's*', expected only one"),
        ("find_dirs(`x`, `*`)", "Directory 'x' does not exist"),
        ("chdir(`x`)", "Directory 'x' does not exist"),
        ("chdir(`in/a.txt`)", "Path 'in/a.txt' exists but is not a directory"),
        ("rsync(`x`, `y`)", "No files found matching 'x'"),
        ("chmod_exec(`x`)", "Not a file: Path does not exist: x"),
        ("chmod_exec(`in`)", "Not a file: Path is not a file: in"),
        ("cmd_ensure_exists(`no-such-program-here`)", "Command not found: no-such-program-here"),
        ("cmd_ensure_exists(` , `)", "No commands specified to check"),
        ("platform_check_macos_arm()", "Platform Check Error: This operation is only supported on macOS ARM."),
    ],
)
def test_failures_of_files(source: str, text: str) -> None:
    outcome = BENCH.run(PREPARED + source)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == ("function_failed", text)


def test_note_of_several_files_is_in_the_log() -> None:
    bench = ScriptBench()

    assert bench.run(PREPARED + "find_file(`in`, `*.txt`)") == Done("in/a.txt")
    assert bench.log.lines == [("info", "Note: Multiple files found matching '*.txt', returning first match")]


def test_working_folder_is_that_of_one_run() -> None:
    bench = ScriptBench()

    assert bench.run("mkdir(`a`); chdir(`a`); exist(`../a`)") == Done("true", "true")
    assert bench.run("exist(`../a`)") == Done("false", "false")
    assert Path.cwd() == Path(os.getcwd())  # noqa: PTH109  the process itself has not moved


def test_moving_between_file_systems_copies_and_removes(tmp_path: Path) -> None:
    other = Path("/dev/shm") / f"hero-test-{os.getpid()}"
    other.mkdir()
    try:
        bench = ScriptBench(ScriptRights(write=(str(other),)))

        assert bench.run(PREPARED + f"mv(`in`, `{other}/moved`); exist(`in`)") == Done("false", "false")
        assert bench.run(f"mv(`{other}/moved/a.txt`, `here`); file_read(`here`)") == Done("a.txt")
        assert sorted(path.name for path in (other / "moved").iterdir()) == ["b.txt", "c.csv", "sub"]
    finally:
        shutil.rmtree(other)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("which(`sh`)", shutil.which("sh", path="/usr/bin:/bin")),
        ("which(`no-such-program-here`) == ()", "true"),
        ("which(`../bin/sh`) == ()", "true"),
        ("which(``) == ()", "true"),
        ("cmd_ensure_exists(`sh`)", "Command 'sh' exists"),
        ("cmd_ensure_exists(`sh, cat`)", "All commands exist: sh, cat"),
        ("platform_is_linux()", str(sys.platform == "linux").lower()),
        ("platform_is_osx()", "false"),
        ("platform_is_x86() != platform_is_arm()", "true"),
        ("package_set_debug(true)", "true"),
        ("package_platform() in [`Ubuntu`, `Unknown`]", "true"),
    ],
)
def test_the_machine(source: str, output: str) -> None:
    outcome = ScriptBench().run(source)

    assert isinstance(outcome, Done)
    assert outcome.output == output
