"""Describes the functions: docs/functions.md, definitions for editors, and JSON for `heroctl functions` and the RPC.

    python -m hero_engine.host.describe markdown docs/functions.md    # writes the file's second half anew
    python -m hero_engine.host.describe definitions                   # a `.d.rhai` file for Rhai's language server
    python -m hero_engine.host.describe json                          # with what `HERO_ALLOW` allows

A process of its own runs it, so neither the supervisor nor `heroctl` imports a family.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hero_engine.errors import EngineUnavailable
from hero_engine.host.catalogue import Catalogue
from hero_engine.host.definition import Family, HostFunction
from hero_engine.host.objects.object_family import load_family
from hero_engine.rights import RIGHTS_VARIABLE, ScriptRights, how_to_allow

#: Begins the part of docs/functions.md that `markdown` writes.
MARK = "<!-- Generated from the families: python -m hero_engine.host.describe markdown docs/functions.md -->\n"


def markdown(families: Iterable[Family]) -> str:
    """Write the reference of all functions."""
    return "\n".join(line for family in families for line in _family(family)) + "\n"


def _family(family: Family) -> Iterator[str]:
    yield f"\n## {family.name}\n"
    yield _filled(family.title + (f" Errors begin with `{family.prefix.strip()}`." if family.prefix else ""))
    for function in family.functions:
        yield f"\n### {function.name}\n\n```text\n{function.signature}\n```\n"
        yield _filled(function.summary)
        notes = [f"It needs `{how_to_allow(function.needs)}`."] if function.needs else []
        if function.action:
            notes.append(f"In HeroScript: `!!{function.action}`.")
        if notes:
            yield "\n" + _filled(" ".join(notes))
        if function.example:
            yield f"\n```rhai\n{function.example}\n```"


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def definitions(families: Iterable[Family]) -> str:
    """Write the definitions that Rhai's language server reads."""
    parts = ["module static;\n"]
    for function in (function for family in families for function in family.functions):
        parameters = ", ".join(f"{p.name}: {_rhai_type(p.shown)}" for p in function.parameters)
        # A language server knows no optional parameters, so each number of them is a function.
        names = parameters.split(", ") if parameters else []
        for count in range(function.least, len(names) + 1):
            head = f"\n/// {function.summary}\n" if count == len(names) else "\n"
            parts.append(f"{head}fn {function.name}({', '.join(names[:count])}) -> {_rhai_type(function.result)};\n")
    return "".join(parts)


def _rhai_type(shown: str) -> str:
    words = {"string": "String", "blob": "Blob", "array": "Array", "map": "Map", "any": "?", "()": "()"}
    return words.get(shown, shown) if "|" not in shown else "?"


def as_rows(families: Iterable[Family], rights: ScriptRights) -> list[dict[str, Any]]:
    """List the functions, and whether an actor with these rights allows them."""
    return [_row(function, rights) for family in families for function in family.functions]


def _row(function: HostFunction, rights: ScriptRights) -> dict[str, Any]:
    return {
        "name": function.name,
        "family": function.family.name,
        "signature": function.signature,
        "summary": function.summary,
        "example": function.example,
        "blocks": function.blocks,
        "action": function.action or None,
        "allowed": rights.allows(function.needs),
        "allowed_by": how_to_allow(function.needs) if function.needs else None,
    }


def main(arguments: list[str]) -> int:
    """Run one of the three commands; see the module.

    Returns:
        Exit code: 0, or 1 if a family of another distribution, or a schema, does not load.
    """
    command, *rest = arguments or ["json"]
    rights = ScriptRights.from_json(os.environ.get(RIGHTS_VARIABLE, ""))
    try:
        objects = load_family(rights.objects) if rights.objects is not None else None
        families = list(Catalogue(rights.families, objects).families())
    except EngineUnavailable as e:
        sys.stderr.write(f"{e}\n")
        return 1
    if command == "markdown":
        path = Path(rest[0])
        head = path.read_text().partition(MARK)[0]
        path.write_text(head + MARK + markdown(families))
    elif command == "definitions":
        sys.stdout.write(definitions(families))
    else:
        sys.stdout.write(json.dumps(as_rows(families, rights)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
