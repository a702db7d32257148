"""Every kind of error that a job may have is counted by its name, and has a cause and a cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rhai
from hero_job.model.overview.counters import KINDS, OTHER
from hero_job.model.overview.kinds import CURES, ROWS

ROOT = Path(__file__).parents[3]


def test_every_kind_has_one_cause_and_one_cure() -> None:
    named = [kind for row in ROWS for kind in row.kinds.split()]

    assert sorted(named) == sorted(KINDS)
    assert OTHER not in CURES
    assert [row.kinds for row in ROWS if not (row.cause and row.cure) or row.cure.endswith(".")] == []


def test_every_kind_that_the_source_gives_to_a_failure_is_known() -> None:
    folders = [ROOT / "engines/hero_engine", ROOT / "actors/hero_actor"]
    text = "\n".join(path.read_text("utf-8") for folder in folders for path in sorted(folder.rglob("*.py")))
    given = set(re.findall(r'\bFailed\(\s*"([a-z_]+)"', text))
    given |= set(re.findall(r'\b(?:default_)?code ?= ?"([a-z_]+)"', text))
    given |= set(re.findall(r'\b(?:error_kind=|FUNCTION_FAILED = )"([a-z_]+)"', text))
    lua = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "actors/hero_job/protocol/lua").rglob("*.lua")))
    given |= set(re.findall(r"end_without_result\(ns, id, '\w+', '([a-z_]+)'", lua))

    assert {"timeout", "param", "engine_failed", "function_failed", "lost", "expired"} <= given
    assert given <= KINDS


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("let x = ;", "BadInput"),
        ("let x = (1 + 2", "MissingToken"),
        ("const A = 1; A = 2", "AssignmentToConstant"),
        ("fn f(a, a) {}", "FnDuplicatedParam"),
        ("break;", "LoopBreak"),
        ("nowhere", "ErrorVariableNotFound"),
        ("nothing(1)", "ErrorFunctionNotFound"),
        ("[1][5]", "ErrorArrayBounds"),
        ("1 / 0", "ErrorArithmetic"),
        ("throw 5", "ErrorRuntime"),
        ('import "x" as y;', "ErrorModuleNotFound"),
    ],
)
def test_kinds_of_errors_in_scripts_have_a_cure(script: str, kind: str) -> None:
    with pytest.raises(rhai.RhaiError) as raised:
        rhai.Engine().eval(script)

    assert raised.value.kind == kind
    assert CURES[kind].cause.startswith("Rhai: ")
