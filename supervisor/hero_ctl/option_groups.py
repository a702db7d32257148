"""Lets a command take a group of options as one parameter, and hands its parameters to Typer.

A group is a frozen dataclass whose fields are annotated with `Option` or `Argument`. `command_parameters` replaces it
by one parameter per field, so options that several commands share are declared once. `quick_words.py` reads a command
line with these; `app.py` gives them to Typer by `expand_groups`. Invariant: the user gives the options of a group
exactly like the command's own.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from hero_ctl.parameters import Declared, Option

Command = Callable[..., None]


def command_parameters(command: Command) -> tuple[list[inspect.Parameter], Command]:
    """Find the parameters of a command, with those of its groups in the place of the groups.

    Args:
        command: A function whose parameters are annotated with `Option` or `Argument`, or are groups of options.

    Returns:
        The parameters, and the same command with one keyword parameter for each; it builds the groups.
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

    return parameters, call


def expand_groups(command: Command) -> Command:
    """Make a command that Typer can read.

    Args:
        command: As for `command_parameters`.

    Returns:
        The same command with one keyword parameter per option, annotated as Typer expects.
    """
    found, call = command_parameters(command)
    parameters = [parameter.replace(annotation=_for_typer(parameter.annotation)) for parameter in found]
    # An assignment would need a type: ignore, since only `inspect` knows this attribute of functions.
    vars(call)["__signature__"] = inspect.Signature(parameters)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _for_typer(annotation: Any) -> Any:
    import typer

    metadata = getattr(annotation, "__metadata__", ())
    if not metadata or not isinstance(metadata[0], Declared):
        return annotation
    declared = metadata[0]
    kind = typer.Option if isinstance(declared, Option) else typer.Argument
    return annotation.__class__(annotation.__origin__, (kind(*declared.words, **declared.settings),))


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
