"""Which functions of the product run a Lua script. `choose.py` is the caller.

Lua has no probes. A test runs a script if it calls a function that names the script, and functions do have probes.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from hero_job.protocol import lua
from tests.mutation.python_mutants import functions_of

ROOT = Path(__file__).parents[2]
_FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)


@cache
def callers_of(script: Path) -> frozenset[tuple[str, int]]:
    """List the functions that name a script, or a script that a part belongs to.

    Args:
        script: The Lua file, in the repository.

    Returns:
        Module and first line of each function.
    """
    names = _scripts_with(script)
    return frozenset(
        (str(module.relative_to(ROOT)), begin)
        for module in sorted((ROOT / "actors/hero_job/operations").rglob("*.py"))
        for begin in _functions_naming(module.read_text(), names)
    )


def _scripts_with(script: Path) -> set[str]:
    known = {name: value for name, value in vars(lua).items() if isinstance(value, lua.LuaScript)}
    own = {name for name, value in known.items() if value.name == script.stem}
    if own and script.parent.name != "parts":
        return own
    functions = _FUNCTION.findall((ROOT / script).read_text())
    return {name for name, value in known.items() if all(f"local function {one}(" in value.source for one in functions)}


def _functions_naming(source: str, names: set[str]) -> set[int]:
    functions = list(functions_of(source))
    lines = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "lua"
        and node.attr in names
    }
    return {begin for begin, end in functions if any(begin <= line <= end for line in lines)}
