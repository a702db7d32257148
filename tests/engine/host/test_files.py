"""Files of scripts: every hostile path gets the same short answer, and nothing outside is read, changed or removed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, Stopped
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually


@dataclass
class Grounds:
    """Folders of a test: what scripts may read and write, and what they may not."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("read", "write", "secret"):
            (self.root / name).mkdir()
        (self.root / "secret/key").write_text("hidden")
        (self.root / "read/open.txt").write_text("seen")
        (self.root / "read/out").symlink_to(self.root / "secret")
        (self.root / "read/up").symlink_to("../secret/key")
        (self.root / "read/inside").symlink_to("open.txt")
        (self.root / "write/out").symlink_to(self.root / "secret")
        os.mkfifo(self.root / "write/pipe")

    def bench(self, **rights: object) -> ScriptBench:
        given = {"read": (str(self.root / "read"),), "write": (str(self.root / "write"),)} | rights
        return ScriptBench(ScriptRights(**given))  # type: ignore[arg-type]


@pytest.fixture
def grounds(tmp_path: Path) -> Grounds:
    return Grounds(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_outside_changes(tmp_path: Path) -> Iterator[None]:
    yield
    if (tmp_path / "secret").is_dir():
        assert [path.name for path in (tmp_path / "secret").iterdir()] == ["key"]
        assert (tmp_path / "secret/key").read_text() == "hidden"


HOSTILE = [
    "/etc/passwd",
    "/no/such/file",
    "{root}/secret/key",
    "{root}/read/../secret/key",
    "{root}/read/out/key",
    "{root}/read/up",
    "{root}/readable",
    "{root}",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "/dev/zero",
    "../../etc/passwd",
    "..",
    "{root}/read/./../secret/key",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_path_outside_has_one_answer_whether_it_exists_or_not(grounds: Grounds, way: str, path: str) -> None:
    path = path.format(root=grounds.root)
    bench = grounds.bench()

    assert bench.run(f"file_read(`{path}`)") == Failed("function_failed", f"os: reading '{path}' is not allowed", 1, 1)
    assert bench.run(f"exist(`{path}`)") == Done("false", "false")
    for call, verb in (
        (f"file_write(`{path}`, `x`)", "writing"),
        (f"file_write_append(`{path}`, `x`)", "writing"),
        (f"mkdir(`{path}`)", "writing"),
        (f"delete(`{path}`)", "deleting"),
        (f"chmod_exec(`{path}`)", "writing"),
        (f"find_files(`{path}`, `*`)", "reading"),
        (f"chdir(`{path}`)", "reading"),
        (f"copy(`{path}`, `here`)", "reading"),
        (f"mv(`{path}`, `here`)", "moving"),
        (f"rsync(`{path}`, `here`)", "reading"),
    ):
        outcome = bench.run(call)
        assert isinstance(outcome, Failed), call
        assert f"{verb} '{path}" in outcome.message or "reading '" in outcome.message, call
        assert "is not allowed" in outcome.message, call


@pytest.mark.parametrize("path", ["", "a\\x00b", "a\\nb", "x" * 5000])
def test_text_that_is_no_path(grounds: Grounds, path: str) -> None:
    for call in ("file_read({})", "file_write({}, `x`)", "delete({})", "mkdir({})"):
        outcome = grounds.bench().run(call.format(f'"{path}"'))
        assert isinstance(outcome, Failed)
        assert outcome.message.startswith("os: '")
        assert outcome.message.endswith("is not a path")
    assert grounds.bench().run(f'exist("{path}")') == Done("false", "false")


def test_link_that_stays_inside_is_followed_where_the_kernel_can(grounds: Grounds) -> None:
    assert grounds.bench().run(f"file_read(`{grounds.root}/read/inside`)") == Done("seen")


def test_reading_does_not_imply_writing_but_writing_implies_reading(grounds: Grounds, way: str) -> None:
    bench = grounds.bench()
    (grounds.root / "write/a").write_text("1")

    assert bench.run(f"file_read(`{grounds.root}/write/a`)") == Done("1")
    refused = bench.run(f"file_write(`{grounds.root}/read/open.txt`, `x`)")
    assert isinstance(refused, Failed)
    assert refused.message == f"os: writing '{grounds.root}/read/open.txt' is not allowed"
    assert (grounds.root / "read/open.txt").read_text() == "seen"


@pytest.mark.parametrize(
    "call",
    [
        "file_write_append(`{}/open.txt`, `x`)",
        "chmod_exec(`{}/open.txt`)",
        "delete(`{}/open.txt`)",
        "mv(`{}/open.txt`, `here`)",
        "mkdir(`{}/new`)",
        "copy(`{}/open.txt`, `{}/copy`)",
        "rsync(`{}/open.txt`, `{}/copy`)",
        "text_replacer_new().pattern(`s`).replacement(`x`).build().replace_file_in_place(`{}/open.txt`)",
    ],
)
def test_nothing_changes_a_place_that_is_only_for_reading(grounds: Grounds, way: str, call: str) -> None:
    place = grounds.root / "read"
    before = {path.name: path.lstat() for path in place.iterdir()}

    outcome = grounds.bench().run(call.replace("{}", str(place)))

    assert isinstance(outcome, Failed)
    assert "is not allowed" in outcome.message
    after = {path.name: path.lstat() for path in place.iterdir()}
    assert {name: (found.st_mode, found.st_mtime_ns) for name, found in after.items()} == {
        name: (found.st_mode, found.st_mtime_ns) for name, found in before.items()
    }
    assert (place / "open.txt").read_text() == "seen"


def test_names_that_scripts_can_hold_are_found_and_others_are_left_out(grounds: Grounds, way: str) -> None:
    folder = grounds.root / "read/names"
    folder.mkdir()
    for name in (b"a\tb", "c\u00a0d".encode(), b"e\xff", b"f"):
        (folder / os.fsdecode(name)).touch()

    outcome = grounds.bench().run(f"find_files(`{grounds.root}/read/names`, `*`).map(|path| path.split(`/`)[-1])")

    assert isinstance(outcome, Done), outcome
    assert json.loads(outcome.output) == ["a\tb", "c\u00a0d", "f"]


def test_single_file_may_be_allowed(grounds: Grounds) -> None:
    file = grounds.root / "secret/key"
    bench = grounds.bench(read=(str(file),))

    assert bench.run(f"file_read(`{file}`)") == Done("hidden")
    assert isinstance(bench.run(f"file_read(`{file}/x`)"), Failed)
    assert isinstance(bench.run(f"delete(`{file}`)"), Failed)


@pytest.mark.parametrize("call", ["file_read", "file_size", "chmod_exec", "find_files"])
def test_pipe_socket_and_device_are_refused_without_blocking(grounds: Grounds, way: str, call: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(grounds.root / "write/socket"))
        for name in ("pipe", "socket"):
            argument = f"`{grounds.root}/write/{name}`" + (", `*`" if call == "find_files" else "")
            outcome = grounds.bench().run(f"{call}({argument})")
            assert isinstance(outcome, Failed)
            assert "is not allowed" in outcome.message


def test_writing_to_a_pipe_is_refused_and_deleting_it_too(grounds: Grounds, way: str) -> None:
    pipe = grounds.root / "write/pipe"
    for call in (f"file_write(`{pipe}`, `x`)", f"file_write_append(`{pipe}`, `x`)"):
        outcome = grounds.bench().run(call)
        assert isinstance(outcome, Failed)
        assert "is not allowed" in outcome.message
    assert grounds.bench().run(f"delete(`{pipe}`)") == Failed("function_failed", f"Unknown file type at '{pipe}'", 1, 1)


@pytest.mark.parametrize("path", ["", ".", "/", "./", "..", "a/..", "{root}/write", "{root}/write/", "{root}/write/."])
def test_allowed_folder_itself_is_never_deleted_or_moved(grounds: Grounds, way: str, path: str) -> None:
    path = path.format(root=grounds.root)
    for call in (f"delete(`{path}`)", f"mv(`{path}`, `elsewhere`)"):
        assert isinstance(grounds.bench().run(f"mkdir(`a`); {call}"), Failed)
    assert (grounds.root / "write").is_dir()


def test_deleting_a_link_leaves_what_it_leads_to(grounds: Grounds, way: str) -> None:
    (grounds.root / "write/tree/deep").mkdir(parents=True)
    (grounds.root / "write/tree/deep/link").symlink_to(grounds.root / "secret")

    assert grounds.bench().run(f"delete(`{grounds.root}/write/out`)") == Done(
        f"Successfully deleted file '{grounds.root}/write/out'"
    )
    assert grounds.bench().run(f"delete(`{grounds.root}/write/tree`)") == Done(
        f"Successfully deleted directory '{grounds.root}/write/tree'"
    )


def test_copying_and_finding_follow_no_link(grounds: Grounds, way: str) -> None:
    bench = grounds.bench()

    assert bench.run(f"copy(`{grounds.root}/read`, `copied`); find_files(`copied`, `*`)") == Done(
        '["copied/open.txt"]', '["copied/open.txt"]'
    )
    found = bench.run(f"find_files(`{grounds.root}/read`, `key`)")
    assert found == Done("[]", "[]")


@pytest.mark.parametrize("call", ["copy", "rsync"])
def test_target_that_is_a_link_to_outside_is_refused(grounds: Grounds, way: str, call: str) -> None:
    outcome = grounds.bench().run(f"file_write(`in/key`, `x`); {call}(`in/key`, `{grounds.root}/write/out/`)")

    assert isinstance(outcome, Failed)
    assert "is not allowed" in outcome.message


def test_link_that_is_swapped_during_a_loop_leads_nowhere(grounds: Grounds, way: str) -> None:
    place = grounds.root / "write/swap"
    place.mkdir()
    (place / "key").write_text("own")
    ended = threading.Event()

    def swap() -> None:
        spare, link = grounds.root / "write/spare", grounds.root / "write/link"
        while not ended.is_set():
            place.rename(spare)
            link.symlink_to(grounds.root / "secret")
            while not place.is_symlink():
                shutil.rmtree(place, ignore_errors=True)  # the script may have made the folder anew
                with contextlib.suppress(OSError):
                    link.rename(place)
            place.unlink()
            while spare.is_dir():
                shutil.rmtree(place, ignore_errors=True)
                with contextlib.suppress(OSError):
                    spare.rename(place)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        outcome = grounds.bench().run(
            f"""
            let seen = [];
            for i in 0..500 {{
                try {{
                    let text = file_read(`{place}/key`);
                    if !(text in seen) {{ seen.push(text); }}
                }} catch {{ }}
                try {{ file_write(`{place}/key`, "own"); }} catch {{ }}
                try {{ delete(`{place}/other`); }} catch {{ }}
                try {{ copy(`{place}`, `copied`); }} catch {{ }}
            }}
            if exist("copied/key") && !(file_read("copied/key") in seen) {{ seen.push(file_read("copied/key")); }}
            seen
            """,
            timeout_s=500,
        )
    finally:
        ended.set()
        swapping.join()

    assert isinstance(outcome, Done)
    assert "hidden" not in outcome.output


def test_file_that_is_too_large_or_no_text(grounds: Grounds) -> None:
    (grounds.root / "read/large").write_bytes(b"x" * (3 << 20))
    (grounds.root / "read/bytes").write_bytes(b"\xff\xfe")
    (grounds.root / "read/sparse").touch()
    os.truncate(grounds.root / "read/sparse", 1 << 40)
    bench = grounds.bench(max_file_bytes=2 << 20)

    messages = [
        outcome.message
        for name in ("large", "bytes", "sparse")
        if isinstance(outcome := bench.run(f"file_read(`{grounds.root}/read/{name}`)"), Failed)
    ]
    assert messages == [
        "Failed to read file: 3 MiB is more than max_file_bytes (2 MiB)",
        "Failed to read file: stream did not contain valid UTF-8",
        "Failed to read file: 1048576 MiB is more than max_file_bytes (2 MiB)",
    ]
    assert bench.run("let t = `x`; t.pad(3000000, 'x'); file_write(`a`, t)") == Failed(
        "function_failed", "Failed to write to file: 3000000 bytes is more than max_file_bytes (2 MiB)", 1, 35
    )


def test_folder_with_too_many_entries_is_an_error(grounds: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hero_engine.host.trees.MAX_ENTRIES", 10)
    for number in range(11):
        (grounds.root / f"read/{number}").touch()

    for call in ("find_files(`{}`, `*`)", "find_dirs(`{}`, `*`)", "copy(`{}/*`, `here`)"):
        outcome = grounds.bench().run(call.format(grounds.root / "read"))
        assert isinstance(outcome, Failed)
        assert outcome.message == f"more than 10 entries below '{grounds.root}/read'"


def test_without_scratch_and_places_the_functions_are_off() -> None:
    assert ScriptBench(ScriptRights(scratch=False)).run("file_read(`a`)") == Failed(
        "function_failed",
        'os: file_read is not allowed here; the operator enables it with read = ["/folder"] in [actors.allow]',
        1,
        1,
    )


def test_without_scratch_relative_paths_are_below_the_first_place(grounds: Grounds) -> None:
    bench = grounds.bench(scratch=False)

    assert bench.run("file_write(`a`, `1`)") == Done("Successfully wrote to file 'a'")
    assert (grounds.root / "write/a").read_text() == "1"


def test_stop_ends_the_work_on_a_large_folder(grounds: Grounds) -> None:
    for number in range(3000):
        (grounds.root / f"read/{number}").touch()
    bench = grounds.bench()
    run = bench.engine.new_run()
    outcomes: list[object] = []
    source = f"print(1); loop {{ rsync(`{grounds.root}/read/`, `mirror`); }}"
    thread = threading.Thread(target=lambda: outcomes.append(bench.run(source, run=run)))
    thread.start()
    eventually(lambda: bench.log.lines)

    run.cancel()

    thread.join()
    assert outcomes == [Stopped()]
