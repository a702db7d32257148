"""Keys: the page documents all of them, and only keys.py spells them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_job.protocol import lua
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.lua import LuaScript

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/redis.md").read_text("utf-8")
LUA_FILES = sorted((ROOT / "actors/hero_job/protocol/lua").rglob("*.lua"))
PYTHON_FILES = sorted(
    path
    for folder in ("actors", "supervisor", "engines/hero_engine", "config")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "keys.py" or path.parent.name != "protocol"
)
#: The events also call a batch `batch:ID`, so this word alone is no key.
SUBJECT = KeyPart.BATCH


def test_the_page_describes_every_key_and_no_other() -> None:
    documented = {key.partition("{")[0] for key in re.findall(r"^\| `hero:([^`]*)`", PAGE, re.MULTILINE)}

    assert documented == {part for part in KeyPart if not part.startswith(":")}


@pytest.mark.parametrize("part", [part for part in KeyPart if part.startswith(":")], ids=lambda part: part.name)
def test_the_page_describes_the_parts_of_a_queues_key(part: KeyPart) -> None:
    assert part in PAGE


def spells_a_key(text: str) -> bool:
    """Does a literal begin with a key, or contain one after something like a namespace?"""
    return any(
        text == part or (part.endswith(":") and re.search(rf"(^|:){re.escape(part)}", text))
        for part in KeyPart
        if part is not SUBJECT and part not in (KeyPart.EVENTS, KeyPart.LOG)
    )


def lua_literals(source: str) -> Iterator[str]:
    """The string literals of a Lua file, without its comments."""
    for comment, literal in re.findall(r"(--.*)|'((?:[^'\\]|\\.)*)'", source):
        if not comment:
            yield literal


@pytest.mark.parametrize("path", LUA_FILES, ids=lambda path: path.stem)
def test_no_lua_script_spells_a_key(path: Path) -> None:
    literals = set(lua_literals(path.read_text("utf-8")))

    assert {literal for literal in literals if spells_a_key(literal)} == set()
    assert literals & {KeyPart.EVENTS, KeyPart.LOG, KeyPart.BATCH} == set()


def lua_code(script: LuaScript) -> str:
    """A script without its comments, its literals, and the names of positions in its arguments."""
    return re.sub(r"--.*|'(?:[^'\\]|\\.)*'|\bFIRST_[A-Z]+\b", "", script.source)


def python_literals(tree: ast.Module) -> Iterator[str]:
    """The string literals of a module, without its docstrings and other strings that stand alone."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_other_python_module_spells_a_key() -> None:
    found = {
        (str(path.relative_to(ROOT)), literal)
        for path in PYTHON_FILES
        for literal in python_literals(ast.parse(path.read_text("utf-8")))
        if spells_a_key(literal)
    }

    assert found == set()


def test_a_script_is_sent_with_the_key_parts_that_it_names() -> None:
    assert "ns .. 'meta:unique:' .. fields.unique_key" in lua.CREATE.source
    assert not any(re.search(r"\b[A-Z]{3,}\b(?<!KEYS)(?<!ARGV)", code) for code in map(lua_code, lua.ALL))
