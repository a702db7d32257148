"""Calls a function for a script: picks the overload, checks the right, and turns failures into texts.

Each language's binding makes its callbacks here and passes the arguments as Python values. Invariant: only what the
binding makes of a text, and `CallEnded`, leave a callback. Any exception but `FunctionError` is a defect of the
function: the operator's log has it, and the script sees no more than that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hero_engine.errors import AccessRefused, FunctionError, FunctionRefused, OverloadDeclined
from hero_engine.host.call import Call
from hero_engine.host.definition import HostFunction
from hero_engine.rights import how_to_allow
from hero_process.defects import is_foreign, log_failure, reason_of

log = logging.getLogger(__name__)

#: What scripts call the types of their values.
_TYPES = {int: "i64", float: "f64", str: "string", bool: "bool", list: "array", dict: "map", type(None): "()"}


def make_callback(
    functions: Sequence[HostFunction], current: Callable[[], Call], fail: Callable[[str], Exception]
) -> Callable[..., Any]:
    """Make one callable of all functions and methods of a name.

    Args:
        functions: In the order in which they are tried.
        current: Returns the run that calls.
        fail: Makes the exception by which the language throws a text into the script.

    Returns:
        Takes the script's arguments by position, and raises what `fail` has made, or `CallEnded`.
    """
    name = functions[0].name
    by_count: dict[int, list[tuple[tuple[frozenset[type] | None, ...], Callable[..., Any], bool, HostFunction]]] = {}
    for function in functions:
        classes = tuple(parameter.classes for parameter in function.parameters)
        is_plain = function.takes_call is None and not function.needs
        for count in range(function.least, len(classes) + 1):
            by_count.setdefault(count, []).append((classes[:count], function.python, is_plain, function))

    # One frame, because this is the cost of every call.
    def callback(*arguments: Any) -> Any:
        function = functions[0]
        try:
            for classes, python, is_plain, function in by_count.get(len(arguments), ()):
                for value, accepted in zip(arguments, classes):  # noqa: B905  of equal length, and `strict` costs
                    if accepted is not None and value.__class__ not in accepted:
                        break
                else:
                    try:
                        return python(*arguments) if is_plain else _call(function, current(), arguments)
                    except OverloadDeclined:
                        continue
        except FunctionRefused as e:
            raise fail(e.text) from None
        except FunctionError as e:
            raise fail(function.family.prefix + e.text) from None
        except AccessRefused as e:
            raise fail(function.family.prefix + e.reason) from None
        except Exception as e:  # noqa: BLE001 - logged
            log_failure(log, "function.defect", e, function=name, job=current().asker.job_id)
            raise fail(function.family.prefix + _failure(name, e)) from None
        shown = ", ".join(_TYPES.get(type(value), "object") for value in arguments)
        raise fail(f"Function not found: {name} ({shown})")

    return callback


def _failure(name: str, error: Exception) -> str:
    """Say why a function failed that should have caught this itself. A path may be hidden from the script."""
    if isinstance(error, OSError):
        return f"{name} failed: {error.strerror or 'the operating system refused it'}"
    if is_foreign(error):
        return f"{name} failed: {reason_of(error)}"
    return f"{name} failed by a defect; the log of the service has the details"


def _call(function: HostFunction, call: Call, arguments: tuple[Any, ...]) -> Any:
    if function.needs and not call.rights.allows(function.needs):
        how = how_to_allow(function.needs)
        raise FunctionRefused(
            f"{function.family.name}: {function.name} is not allowed here; the operator enables it with {how}"
        )
    if call.rights.call_s:
        call.begin()
    position = function.takes_call
    if position is not None:
        arguments = (*arguments[:position], call, *arguments[position:])
    return function.python(*arguments)
