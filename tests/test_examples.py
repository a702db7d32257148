"""Every example that README.md and docs/ show runs, and prints what the page says.

A fenced block of the language `python` or `sh` is an example and runs here, in the folder of a real deployment, in the
order of its page. In both, a comment behind an expression or a command is what it must give. `toml`, `yaml`, `json` and
`jsonl` must parse. A block of the languages `console` and `ini` is only shown: it needs what a test must not do
(install a unit, change another host). docs/heroscript.md and docs/functions.md have tests of their own, in
tests/engine. tests/deploy installs units, on a machine of its own.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deployment import LONG_LEASE_S, Deployment, deployed
from tests.forked_heroctl import run_line

ROOT = Path(__file__).parents[1]
TESTED_ELSEWHERE = {ROOT / "docs/heroscript.md", ROOT / "docs/functions.md"}
PAGES = sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")} - TESTED_ELSEWHERE)
LANGUAGES = {"python", "sh", "toml", "json", "jsonl", "yaml", "ini", "console", "mermaid", ""}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text("utf-8") if page.exists() else ""
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])


ALL = list(blocks())


def of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


def test_every_block_says_what_it_is() -> None:
    assert {str(block): block.language for block in ALL if block.language not in LANGUAGES} == {}


@pytest.mark.parametrize("block", of("json", "jsonl"), ids=str)
def test_json_parses(block: Block) -> None:
    for text in [block.text] if block.language == "json" else block.text.splitlines():
        json.loads(text)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_parses(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_parses(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose store and socket are where `scripts/run` has them."""
    folder = tmp_path_factory.mktemp("examples")
    with deployed(folder, lease_s=LONG_LEASE_S) as deployment:
        (folder / ".hero").mkdir()
        (folder / ".hero" / "store").symlink_to(folder / "store")
        (folder / ".hero" / "hero.ipc").symlink_to(folder / "hero.ipc")
        (folder / "examples").symlink_to(ROOT / "examples")
        yield deployment


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_gives_what_the_page_says(block: Block, service: Deployment) -> None:
    done = subprocess.run(
        [sys.executable, "-c", checked(block.text)],
        cwd=service.folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    printed = [comment for node, comment in expected(block.text) if is_print(node)]
    assert done.stdout.splitlines() == printed


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_commands_give_what_the_page_says(block: Block, service: Deployment) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command, comment in commands(block.text):
        done = run_line(command, cwd=service.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if comment:
            assert done.stdout.strip() == comment, command


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with the comment behind it; a quoted text or a text up to END may span lines."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        if "<<'END'" in command:
            if line == "END":
                yield command, ""
                command = ""
            continue
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
        if line.endswith("\\") or "'" in unquoted or '"' in unquoted:
            continue
        match = re.match(r"(.*?)(?:\s{2,}#\s*(.*))?$", command.strip(), re.DOTALL)
        if match and match[1] and not match[1].startswith("#"):
            yield match[1], (match[2] or "").strip()
        command = ""


def expected(text: str) -> Iterator[tuple[ast.Expr, str]]:
    """The expression statements of a Python block that have a comment behind them."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and node.end_lineno is not None:
            behind = lines[node.end_lineno - 1][node.end_col_offset or 0 :]
            if match := re.match(r"\s+# (.*)", behind):
                yield node, match[1]


def is_print(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "print"


def checked(text: str) -> str:
    """The block as a program that compares each commented expression with its comment."""
    comments = {node.lineno: comment for node, comment in expected(text) if not is_print(node)}

    class Compare(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            if (comment := comments.get(node.lineno)) is None:
                return node
            check = ast.parse(f"_got = 0\nassert repr(_got) == {comment!r}, (repr(_got), {comment!r})").body
            assert isinstance(check[0], ast.Assign)
            check[0].value = node.value
            return ast.If(test=ast.Constant(value=True), body=check, orelse=[])

    return ast.unparse(ast.fix_missing_locations(Compare().visit(ast.parse(text))))
