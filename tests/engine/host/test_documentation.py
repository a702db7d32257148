"""docs/functions.md is current and its examples work; the definitions for editors and the list agree with it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rhai
from hero_config.layers.load import load
from hero_engine.engine import Done
from hero_engine.host.catalogue import Catalogue
from hero_engine.host.describe import MARK, as_rows, definitions, markdown
from hero_engine.rhai_check import read_script
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench

PAGE = Path(__file__).parents[3] / "docs/functions.md"
HEAD, _, BODY = PAGE.read_text("utf-8").partition(MARK)
FAMILIES = list(Catalogue().families())
EXAMPLES = [(f.name, f.example) for family in FAMILIES for f in family.functions if f.example]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", HEAD, re.MULTILINE | re.DOTALL)


def test_page_is_that_of_the_families() -> None:
    how = "write it anew: python -m hero_engine.host.describe markdown docs/functions.md"
    assert markdown(FAMILIES) == BODY, how


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_example_of_a_function_compiles_and_calls_only_what_there_is(name: str, example: str) -> None:
    found = read_script(example)

    assert found["error"] is None
    known = {function.name for family in FAMILIES for function in family.functions}
    assert {call["name"] for call in found["calls"]} <= known
    assert name.removesuffix("_builder") in example


def test_scripts_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    bench = ScriptBench(ScriptRights(read=(str(tmp_path),)))
    for script in blocks("rhai"):
        assert isinstance(bench.run(script.replace("/srv/data", str(tmp_path))), Done), script


def test_configs_of_the_page_are_valid(tmp_path: Path) -> None:
    for text in blocks("toml"):
        if "entry-points" in text:
            assert tomllib.loads(text)["project"]["entry-points"]["hero.functions"]
        else:
            (tmp_path / "hero.toml").write_text(text)
            load(tmp_path / "hero.toml", environ={})


def test_family_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    ast.parse(code)
    (tmp_path / "acme_functions.py").write_text(code)
    info = tmp_path / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (entry,) = (text for text in blocks("toml") if "entry-points" in text)
    (info / "entry_points.txt").write_text("[hero.functions]\n" + entry.partition("\n")[2].replace('"', ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    bench = ScriptBench(ScriptRights(families=("acme",), other={"acme": ("orders",)}))

    assert bench.run("acme_total([1.5, 2.0])") == Done("3.50 EUR")
    assert bench.log.lines == [("info", "2 prices for alice")]


def test_definitions_are_a_script_that_an_editor_can_read() -> None:
    text = definitions(FAMILIES)

    assert text.startswith("module static;")
    for line in text.splitlines()[1:]:
        assert not line or line.startswith("///") or re.fullmatch(r"fn \w+\(.*\) -> [\w()? ]+;", line), line
    assert "fn file_read(path: String) -> String;" in text
    assert "fn progress(done: float, total: float) -> ();" in text


def test_list_says_what_is_allowed_and_what_would_allow_the_rest() -> None:
    rows = {row["name"]: row for row in as_rows(FAMILIES, ScriptRights(scratch=False))}

    assert rows["dedent"]["allowed"]
    assert not rows["file_read"]["allowed"]
    assert rows["file_read"]["allowed_by"] == 'read = ["/folder"] in [actors.allow]'


def test_program_prints_the_list() -> None:
    command = [sys.executable, "-m", "hero_engine.host.describe", "json"]
    rows = json.loads(subprocess.check_output(command))

    assert {row["name"] for row in rows} == {f.name for family in FAMILIES for f in family.functions}


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("file_read(`a`)", [("file_read", 1)]),
        ('// file_read(1)\n/* copy(1) */ `mkdir(1)`; "mv(1)"', []),
        ("fn mine(a) { a } mine(1); let f = |x| x; f.call(2)", []),
        ("if (true) { print(1) } for (a, b) in [1] { }", []),
        ("let a = [];\na.push(1);\n  os::file_size(`x`);\nmissing(2); missing(3)", [("file_size", 3), ("missing", 4)]),
    ],
)
def test_calls_of_a_script_are_found(source: str, calls: list[tuple[str, int]]) -> None:
    found = read_script(source)

    assert found["error"] is None
    assert [(call["name"], call["line"]) for call in found["calls"]] == calls


def test_script_that_does_not_compile_says_where() -> None:
    assert read_script("let a = 1;\nlet = 2;")["error"]["line"] == 2
    assert rhai.Engine().check("let a = 1;") == []
