"""The list of functions for the scripts of an entry, which a process of its own makes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from hero_supervisor.errors import FunctionsUnknown
from hero_supervisor.fleet import functions
from hero_supervisor.fleet.functions import list_functions
from hero_supervisor.process.spec import ActorSpec
from tests.supervisor.supervising import SLEEP, program, run, speaking_program


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_known", {})


def entry(table: str) -> ActorSpec:
    return speaking_program("a", SLEEP, env={"HERO_ALLOW": table})


def test_list_says_what_the_rights_of_the_entry_allow_and_is_made_once_for_each_table() -> None:
    async def test() -> None:
        plain, allowed = await asyncio.gather(list_functions(entry("{}")), list_functions(entry('{"run": ["git"]}')))
        assert [row["name"] for row in plain] == [row["name"] for row in allowed]
        assert plain != allowed
        assert await list_functions(entry("{}")) is plain
        without = speaking_program("b", SLEEP)
        assert await list_functions(without) is plain, "no table allows nothing"

    run(test)


def test_third_party_program_and_a_table_that_cannot_be_read_are_named() -> None:
    async def test() -> None:
        with pytest.raises(FunctionsUnknown, match="of 'x' cannot be listed: it is a third-party program"):
            await list_functions(program("x", SLEEP))
        with pytest.raises(FunctionsUnknown, match=r"of 'a' cannot be listed: .*HERO_ALLOW is no table"):
            await list_functions(entry("no JSON"))

    run(test)


def test_traceback_of_the_process_is_logged_and_its_last_line_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = "import json\n\ndef fail(*_, **__): raise RuntimeError('cannot be written')\n\njson.dumps = fail\n"
    (tmp_path / "sitecustomize.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def test() -> None:
        with pytest.raises(FunctionsUnknown) as told:
            await list_functions(entry("{}"))
        assert str(told.value).endswith("cannot be listed: RuntimeError: cannot be written")

    run(test)
    (logged,) = [record for record in caplog.records if record.message == "functions.not_listed"]
    assert "Traceback" in logged.__dict__["error"]
    assert logged.__dict__["entry"] == "a"


def test_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(functions, "_TIMEOUT_S", 0.0)
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    before = {process.pid for process in psutil.Process().children()}

    async def test() -> None:
        async with asyncio.timeout(60):
            with pytest.raises(FunctionsUnknown, match="not ready in time"):
                await list_functions(entry("{}"))
        assert {process.pid for process in psutil.Process().children()} == before

    run(test)


def test_lists_of_many_tables_do_not_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_known", {f"table {n}": [] for n in range(64)})

    async def test() -> None:
        assert await list_functions(entry("table 3")) == []
        with pytest.raises(FunctionsUnknown):
            await list_functions(entry("another one"))
        assert not functions._known

    run(test)
