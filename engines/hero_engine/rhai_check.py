"""Reads a Rhai script without running it: does it compile, and which functions does it call?

    python -m hero_engine.rhai_check < FILE

`heroctl check` runs this in a process of its own and compares the calls with what an actor offers. A call that is made
only at run time (`eval`, a function pointer by name) is not seen.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import rhai
from hero_engine.errors import explain_blank

#: Comments, strings and characters, which hold no calls. A text in backquotes may, but rarely does.
_NO_CODE = re.compile(
    r"//[^\n]*|/\*[\s\S]*?\*/|\"(?:[^\"\\]|\\[\s\S])*+\"|'(?:[^'\\\n]|\\[^\n]){1,12}'|`(?:[^`]|``)*+`"
)
_CALL = re.compile(r"(?<![A-Za-z0-9_])(fn\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*(?=\()")
_DEFINED = re.compile(r"\bfn\s+(?:\w+\.)?(\w+)|\blet\s+(\w+)|\bconst\s+(\w+)")
#: What looks like a call, or is one that the language has itself.
_LANGUAGE = frozenset(
    """
    if while for switch until in return throw catch do loop else this Fn call curry eval import export print debug
    type_of is_def_fn is_def_var is_shared
    """.split()  # noqa: SIM905  a list of words reads better than one of quoted ones
)


def read_script(source: str) -> dict[str, Any]:
    """Compile a script and find the functions that it calls.

    Args:
        source: The script.

    Returns:
        `error`: what keeps it from compiling, with its `line`, or None. `calls`: the name and line of each function
        that is neither the script's own nor the language's.
    """
    try:
        rhai.Engine().compile(source.removeprefix("\ufeff"))
    except rhai.RhaiError as e:
        return {"error": {"line": e.line, "text": explain_blank(e.message)}, "calls": []}
    return {"error": None, "calls": list(_calls(source))}


def _calls(source: str) -> Iterator[dict[str, Any]]:
    code = _NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    own = {name for names in _DEFINED.findall(code) for name in names if name}
    seen = {name for name, _ in rhai.builtin_functions()} | _LANGUAGE | own
    for found in _CALL.finditer(code):
        name = found[2]
        if not found[1] and name not in seen:
            seen.add(name)
            yield {"name": name, "line": code.count("\n", 0, found.start(2)) + 1}


def main() -> int:
    """Read a script from standard input and print what `read_script` found as JSON.

    Returns:
        Exit code 0.
    """
    sys.stdout.write(json.dumps(read_script(sys.stdin.read())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
