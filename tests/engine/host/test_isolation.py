"""Functions in child processes (`isolation = "process"`): the same ones, with the same rights, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hero_engine.engine import Asker, Done, Failed, Limits, Outcome, Script, TimedOut
from hero_engine.isolated import IsolatedEngine
from tests.engine.host.bench_script import CollectedLog
from tests.eventually import eventually


class _Access:
    """Says what is asked, and by whom."""

    def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        return f"{asker.caller_id} {method} {params['key']}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "read").mkdir()
    (tmp_path / "read/a.txt").write_text("seen")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    table = {"read": [str(tmp_path / "read")], "store": True}
    monkeypatch.setenv("HERO_ALLOW", json.dumps(table))
    return tmp_path


@pytest.fixture
def engine(folder: Path) -> Iterator[IsolatedEngine]:
    engine = IsolatedEngine("rhai")
    engine.give_access(_Access())
    yield engine
    engine.close()


def run(engine: IsolatedEngine, source: str, log: CollectedLog | None = None, timeout_s: float = 60) -> Outcome:
    return engine.run(
        Script(source=source),
        constants={"CALLER_ID": "alice", "CONTEXT_ID": "home", "JOB_ID": "1"},
        limits=Limits(timeout_s=timeout_s),
        run=engine.new_run(),
        log=log,
    )


def test_functions_rights_log_and_store_are_those_of_the_actor(engine: IsolatedEngine, folder: Path) -> None:
    log = CollectedLog()
    source = (
        f"progress(1, 2, `half`); file_write(`b.txt`, file_read(`{folder}/read/a.txt`)); file_write(`c.txt`, ``);"
        "find_file(`.`, `*.txt`); file_read(`b.txt`)"
    )

    assert run(engine, source, log) == Done("seen")
    assert log.reports == [(1.0, 2.0, "half")]
    assert log.lines == [("info", "Note: Multiple files found matching '*.txt', returning first match")]
    assert run(engine, "file_read(`/etc/passwd`)") == Failed(
        "function_failed", "os: reading '/etc/passwd' is not allowed", 1, 1
    )
    assert run(engine, "store_get(`k`)") == Done("alice store.get k")
    assert list((folder / "tmp").glob("hero-scratch-*/*")) == []


def test_scratch_folder_of_a_child_that_was_killed_is_removed(engine: IsolatedEngine, folder: Path) -> None:
    # A search that does not look at the deadline of its script, because the child is killed first.
    ended = run(engine, "file_write(`a`, `1`); loop { find_files(`.`, `*`); }", timeout_s=0.5)
    assert isinstance(ended, TimedOut)

    def is_clean() -> bool:
        assert run(engine, "1") == Done("1", "1")
        return list((folder / "tmp").glob("hero-scratch-*/*")) == []

    eventually(is_clean)
