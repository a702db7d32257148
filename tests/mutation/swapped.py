"""Puts the changed text of one file into a process that has imported the product already. `template.py` is the caller.

Functions get the code of the changed text; those that a closure or a decorator holds are found by the garbage
collector, once, before any fork. Scripts in Lua are put together again. What is computed while a module is imported
stays as it was: then the caller is told, and a new process has to do.
"""

from __future__ import annotations

import ast
import gc
from pathlib import Path
from types import CodeType, FunctionType

from hero_job.protocol import lua

ROOT = Path(__file__).parents[2]

#: File -> its functions, as far as `note_functions` has found them.
_noted: dict[str, list[FunctionType]] = {}


def note_functions() -> None:
    """Find all functions that there are now, so that no fork has to: it would copy all memory by looking at it."""
    _noted.clear()
    for one in gc.get_objects():
        if type(one) is FunctionType:
            _noted.setdefault(one.__code__.co_filename, []).append(one)


def swap(path: str, line: int) -> bool:
    """Take over what a file says now.

    Args:
        path: The file, in the repository.
        line: The line that is changed. The others are where they were.

    Returns:
        Whether that is possible.
    """
    return _swap_scripts() if path.endswith(".lua") else _swap_functions(ROOT / path, line)


def _swap_scripts() -> bool:
    names: dict[str, object] = {"__name__": "changed", "__file__": lua.__file__}
    source = Path(lua.__file__).read_text()
    exec(compile(source.replace("__slots__", "_slots"), lua.__file__, "exec", dont_inherit=True), names)
    for name, script in vars(lua).items():
        if isinstance(script, lua.LuaScript):
            script._set_source(names[name].source)  # type: ignore[attr-defined]
    return True


def _swap_functions(file: Path, line: int) -> bool:
    source = file.read_text()
    if not _is_in_body(source, line):
        return False
    changed = _codes(compile(source, str(file), "exec", dont_inherit=True))
    found = False
    for one in _noted.get(str(file), ()):
        code = changed.get(_place(one.__code__))
        if code is None or code.co_freevars != one.__code__.co_freevars:
            return False
        one.__code__ = code
        found = True
    return found


def _is_in_body(source: str, line: int) -> bool:
    """Tell whether a line runs when a function is called, and not when it is defined."""
    return any(
        node.body[0].lineno <= line <= (node.end_lineno or 0)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    found = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found[_place(constant)] = constant
            found |= _codes(constant)
    return found


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno
