"""Finds every event that the programs of a service write to their log, by reading the code, not by running it.

`reference_pages.py` makes the page of log events of it, and `tests/test_log_events.py` compares it with the table of
meanings. Invariant: a call of a logger whose event cannot be read from the code is an error, so that none is missed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = (
    "supervisor/hero_supervisor", "supervisor/hero_client", "actors/hero_actor", "actors/hero_job",
    "actors/hero_process", "engines/hero_engine", "config/hero_config",
)  # fmt: skip
LEVELS: Final = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error",
                 "critical": "critical"}  # fmt: skip


class LogCall(NamedTuple):
    """One place that writes to the log.

    Attributes:
        events: The events that it may write; none if the code does not say which.
        level: Level of the line.
        logger: Name of the logger, which is the module.
        path: File, below the root.
        line: Line in the file.
    """

    events: tuple[str, ...]
    level: str
    logger: str
    path: str
    line: int


@cache
def log_calls() -> tuple[LogCall, ...]:
    """Return all places that write to the log, in the order of files."""
    return tuple(_read_calls())


def _read_calls() -> Iterator[LogCall]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            logger = ".".join(path.relative_to(ROOT).with_suffix("").parts[1:])
            for function in ast.walk(tree):
                if isinstance(function, ast.Dict) and (made := _record(function)) is not None:
                    yield LogCall(made[:1], made[1], logger, str(path.relative_to(ROOT)), function.lineno)
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
                    for call in _own_calls(function):
                        found = _event_and_level(call)
                        if found is not None:
                            events = _texts(found[0], function)
                            yield LogCall(events, found[1], logger, str(path.relative_to(ROOT)), call.lineno)


def levels() -> dict[str, list[str]]:
    """Return the levels of each event, the lowest first."""
    order = list(LEVELS.values())
    found: dict[str, set[str]] = {}
    for call in log_calls():
        for event in call.events:
            found.setdefault(event, set()).add(call.level)
    return {event: sorted(names, key=order.index) for event, names in found.items()}


def _record(node: ast.Dict) -> tuple[str, str] | None:
    """Event and level of a record that is made without a logger, for a log that cannot be written."""
    keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
    found = {k: v.value for k, v in zip(keys, node.values, strict=True) if isinstance(v, ast.Constant)}
    return (str(found["msg"]), str(found["levelname"]).lower()) if {"msg", "levelname"} <= found.keys() else None


def _own_calls(function: ast.AST) -> Iterator[ast.Call]:
    """Iterate over the calls in a function, without those in functions in it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.Call):
            yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own_calls(child)


def _event_and_level(call: ast.Call) -> tuple[ast.expr, str] | None:
    """The argument with the event, and the level, if a call writes to the log or names what is written later."""
    name = _last_name(call.func)
    if isinstance(call.func, ast.Attribute) and name in LEVELS and _is_logger(call.func.value):
        return call.args[0], LEVELS[name]
    if name == "log_failure":
        level = next((word.value for word in call.keywords if word.arg == "level"), None)
        return call.args[1], _last_name(level).lower() if level is not None else "error"
    if name == "CountedWarning":
        return call.args[0], "warning"
    if name == "Report" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
        return call.args[0], str(call.args[1].value)
    return None


def _is_logger(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and _last_name(node.value) == "ctx":
        return False  # the log of a job
    return _last_name(node) in ("log", "_log") or (isinstance(node, ast.Call) and _last_name(node.func) == "getLogger")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _texts(node: ast.expr, function: ast.AST) -> tuple[str, ...]:
    """The texts that an expression may have: a literal, one of two, or a variable of the function with such a value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, ast.IfExp):
        return _texts(node.body, function) + _texts(node.orelse, function)
    if isinstance(node, ast.Name):
        values = [
            line.value
            for line in ast.walk(function)
            if isinstance(line, ast.Assign) and any(_last_name(target) == node.id for target in line.targets)
        ]
        return tuple(text for value in values for text in _texts(value, function))
    return ()
