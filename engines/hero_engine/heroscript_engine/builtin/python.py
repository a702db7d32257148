"""The action `python.run`. It is off until `HERO_ALLOW_PYTHON` is true.

The code runs in the job's own process, under its limits, and may do everything that this process may. The allow-lists
of the other actions do not bind it; only requests to the actor (`job.*`, `store.*`) are still checked.
"""

from __future__ import annotations

import ast
import linecache
import sys
import traceback
from types import CodeType
from typing import cast

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import not_allowed

_NAMESPACE = "python.run"
_FILE = "<python.run>"


class CodeFailed(Exception):
    """The code raised an exception. The message has its line."""


@action("python.run")
def run(ctx: Context, code: str) -> object:
    """Run Python code. The result is the value of `result`, or of the last line if that is an expression.

    The code sees `ctx`, and everything that earlier code of the same run has defined.
    """
    if not ctx.settings.python:
        raise not_allowed("python.run", "HERO_ALLOW_PYTHON")
    namespace = cast("dict[str, object]", ctx.session.values.setdefault(_NAMESPACE, {"__name__": "__hero__"}))
    namespace.pop("result", None)
    namespace["ctx"] = ctx
    # Tracebacks and inspect.getsource look here for the lines of a file with this name.
    linecache.cache[_FILE] = (len(code), None, code.splitlines(keepends=True), _FILE)
    try:
        body, last = _compile(code)
        exec(body, namespace)
        value = None if last is None else eval(last, namespace)
    except SyntaxError as e:
        raise CodeFailed(f"line {e.lineno} of the code: {e.msg}") from e
    except Exception as e:
        lines = [frame.lineno for frame in traceback.extract_tb(e.__traceback__) if frame.filename == _FILE]
        where = f"line {lines[-1]} of the code: " if lines else ""
        raise CodeFailed(f"{where}{type(e).__name__}: {e}") from e
    finally:
        sys.stdout.flush()
    return namespace.get("result", value)


def _compile(code: str) -> tuple[CodeType, CodeType | None]:
    tree = ast.parse(code, _FILE)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return compile(tree, _FILE, "exec"), None
    del tree.body[-1]
    return compile(tree, _FILE, "exec"), compile(ast.Expression(last.value), _FILE, "eval")
