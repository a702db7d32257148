"""Each test that a document names exists, and the threat model has a row for each boundary."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
BOUNDARIES = ("script", "actor", "store", "supervisor", "client", "other local users")


def functions_of(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = NAMED.findall((ROOT / "docs" / page).read_text())

    missing = [f"{file}::{test}" for file, test in named if not (ROOT / file).is_file()]
    missing += [
        f"{file}::{test}"
        for file, test in named
        if test and (ROOT / file).is_file() and test not in functions_of(ROOT / file)
    ]
    assert missing == []


def test_the_threat_model_names_a_test_for_every_boundary() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    model = text.partition("## Threat model\n")[2].partition("\n## ")[0]
    rows = [line for line in model.splitlines() if line.startswith("| ") and "tests/" in line]

    for boundary in BOUNDARIES:
        assert any(boundary in row.split("|")[1] for row in rows), boundary
    assert all(NAMED.search(row) for row in rows)
