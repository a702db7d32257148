"""The commands on functions for Rhai scripts: functions, check.

What an actor offers is asked of the supervisor of this machine. Without an actor, all functions are listed as they are
documented. A process of its own lists and checks, so `heroctl` loads neither an engine nor a family.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Annotated, Any

from hero_ctl.connect.service import ask_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import Json, ServiceOptions
from hero_ctl.output.console import echo, fail, print_note
from hero_ctl.parameters import Argument, Option

CHECK_EPILOG = "Exit codes: 0 no problems, maybe warnings; 1 it does not compile, or warnings with --strict; 2 usage."

Entry = Annotated[
    str | None,
    Option("--type", metavar="NAME", help="An actors entry of the config, such as sal: what its scripts may call."),
]


def functions(
    *,
    name: Annotated[str, Argument(metavar="NAME", help="A function, or a family.")] = "",
    entry: Entry = None,
    definitions: Annotated[
        bool, Option("--definitions", help="Print a .d.rhai file for Rhai's language server.")
    ] = False,
    as_json: Json = False,
    service: ServiceOptions,
) -> None:
    """List the functions for scripts; with a name, explain one. With --type, say which setting allows the others."""
    if definitions:
        echo(_run("hero_engine.host.describe", "definitions"), nl=False)
        return
    rows = _rows(entry, service)
    found = [row for row in rows if name in ("", row["name"], row["family"])]
    if not found:
        fail(f"there is no function {name}; heroctl functions lists all", CtlExitCode.FAILED)
    if as_json:
        echo(json.dumps(found, indent=2))
    elif any(row["name"] == name for row in found):
        for row in found:
            _explain(row)
    else:
        _print_list(found, with_rights=entry is not None)


def check(
    *,
    path: Annotated[str, Argument(metavar="FILE", help="A Rhai script; - for standard input.")],
    entry: Entry = None,
    strict: Annotated[bool, Option("--strict", help="Warnings give exit code 1 too.")] = False,
    as_json: Json = False,
    service: ServiceOptions,
) -> None:
    """Compile a Rhai script, and warn of functions that its actor does not have. Nothing runs."""
    try:
        source = sys.stdin.read() if path == "-" else _read(path)
    except (OSError, UnicodeDecodeError) as e:
        fail(f"{path} cannot be read: {e}", CtlExitCode.USAGE)
    found = json.loads(_run("hero_engine.rhai_check", text=source))
    problems = [{**found["error"], "level": "error"}] if found["error"] else []
    if found["calls"]:
        problems += _missing(found["calls"], _rows(entry, service), judged=entry is not None)
    if as_json:
        echo(json.dumps(problems, indent=2))
    for problem in [] if as_json else problems:
        echo(f"{path}:{problem['line'] or 1}: {problem['level']}: {problem['text']}")
    count = {0: "no problems", 1: "1 problem"}.get(len(problems), f"{len(problems)} problems")
    print_note(f"{path}: {count}")
    if found["error"] or (strict and problems):
        raise SystemExit(1)


def _missing(calls: list[dict[str, Any]], rows: list[dict[str, Any]], *, judged: bool) -> list[dict[str, Any]]:
    """Warn of calls that nothing answers, and, if an actor is named, of those that it does not allow."""
    problems = []
    for call in calls:
        offered = [row for row in rows if row["name"] == call["name"]]
        if not offered:
            problems.append({"line": call["line"], "level": "warning", "text": f"no function is called {call['name']}"})
        elif judged and not any(row["allowed"] for row in offered):
            text = f"{call['name']} is not allowed here; the operator enables it with {offered[0]['allowed_by']}"
            problems.append({"line": call["line"], "level": "warning", "text": text})
    return problems


def _rows(entry: str | None, service: ServiceOptions) -> list[dict[str, Any]]:
    if entry is not None:
        listed: list[dict[str, Any]] = ask_supervisor(service, "list_functions", {"name": entry})
        return listed
    documented: list[dict[str, Any]] = json.loads(_run("hero_engine.host.describe", "json"))
    return documented


def _explain(row: dict[str, Any]) -> None:
    echo(f"{row['signature']}\n  {row['summary']}")
    if row["example"]:
        echo("\n" + "\n".join(f"    {line}" for line in row["example"].splitlines()))
    if row["allowed_by"]:
        echo(f"\n  {'allowed' if row['allowed'] else 'needs'}: {row['allowed_by']}")


def _print_list(rows: list[dict[str, Any]], *, with_rights: bool) -> None:
    family = ""
    for row in rows:
        if row["family"] != family:
            family = row["family"]
            echo(f"{family}:")
        off = with_rights and not row["allowed"]
        echo(f"  {row['signature']}" + (f"   off: {row['allowed_by']}" if off else ""))


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib is slow to import
        return file.read()


def _run(module: str, *arguments: str, text: str = "") -> str:
    # With the built-in types of objects: a script may be for an OSIS actor.
    env = os.environ | {"HERO_ALLOW": '{"objects": {}}'}
    command = [sys.executable, "-P", "-m", module, *arguments]
    ended = subprocess.run(command, check=False, env=env, input=text, capture_output=True, text=True)
    if ended.returncode:
        fail(ended.stderr.strip() or f"{module} failed", CtlExitCode.FAILED)
    return ended.stdout
