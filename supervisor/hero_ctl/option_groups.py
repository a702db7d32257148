"""Lets a command take a group of options as one parameter.

A group is a frozen dataclass whose fields are annotated as Typer expects. `expand_groups` replaces the parameter by one
option per field before Typer sees the command, so options that several commands share are declared once. Called by
`app.py` for every command. Invariant: the user gives the options of a group exactly like the command's own.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a dataclass by its fields.

    Args:
        command: A function whose parameters are annotated for Typer, or are groups of options.

    Returns:
        The same command with one keyword parameter per option; it builds the groups and calls `command`.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if dataclasses.is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += _parameters_of(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def call(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
        command(**given)

    # An assignment would need a type: ignore, since only `inspect` knows this attribute of functions.
    vars(call)["__signature__"] = signature.replace(parameters=parameters)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _parameters_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(group)
    ]
