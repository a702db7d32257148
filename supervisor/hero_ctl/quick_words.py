"""Reads a right command line without Typer, whose import takes longer than most commands.

`cli.py` calls it first. Invariant: what it reads, Typer would read in the same way. It gives up on everything else, so
help, wrong usage and unusual spellings (`-qy`, `-n5`, an option twice) are Typer's, with its messages.
"""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin

from hero_ctl.option_groups import Command, command_parameters
from hero_ctl.parameters import Argument, Declared


class _Unusual(Exception):
    """A command line that Typer has to read."""


class _Parameter:
    """One parameter of a command, as far as its words are concerned.

    Attributes:
        declared: Its declaration.
        default: Its value if it is not given.
        required: It must be given.
        is_list: It may be given several times.
        kind: The type of one value.
    """

    __slots__ = ("declared", "default", "is_list", "kind", "required")

    def __init__(self, parameter: inspect.Parameter) -> None:
        annotation = parameter.annotation
        self.declared: Declared = annotation.__metadata__[0]
        self.required = parameter.default is inspect.Parameter.empty
        self.default = parameter.default
        kind = annotation.__origin__
        if get_origin(kind) in (Union, types.UnionType):
            (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
        self.is_list = get_origin(kind) is list
        self.kind = get_args(kind)[0] if self.is_list else kind

    def read(self, text: str) -> Any:
        """Read one value.

        Raises:
            _Unusual: It is not one, or not certainly.
        """
        settings = self.declared.settings
        if settings.get("parser") is not None:
            try:
                return settings["parser"](text)
            except Exception as e:  # Typer's parser tells the user
                raise _Unusual from e
        if not text or (self.kind not in _READERS and not issubclass(self.kind, Enum)):
            raise _Unusual
        value = _choose(self.kind, text, settings) if issubclass(self.kind, Enum) else _READERS[self.kind](text)
        least, most = settings.get("min"), settings.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            raise _Unusual
        return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _Unusual
    return int(text)


def _choose(kind: type[Enum], text: str, settings: Mapping[str, Any]) -> Enum:
    loose = settings.get("case_sensitive", True) is False
    for member in kind:
        if member.value == text or (loose and str(member.value).lower() == text.lower()):
            return member
    raise _Unusual


_READERS: Final[Mapping[Any, Callable[[str], Any]]] = {str: str, int: _whole, Path: Path}


def read_quickly(command: Command, words: Sequence[str]) -> Callable[[], None] | None:
    """Read the words after the name of a command.

    Args:
        command: Its function.
        words: Its options and arguments.

    Returns:
        A call of the command with them; None if Typer has to read them.
    """
    found, call = command_parameters(command)
    try:
        parameters = {parameter.name: _Parameter(parameter) for parameter in found}
        given = _sort(parameters, words)
        values = {name: _value(parameter, given.get(name)) for name, parameter in parameters.items()}
    except _Unusual:
        return None
    return lambda: call(**values)


def _value(parameter: _Parameter, given: list[str] | None) -> Any:
    settings = parameter.declared.settings
    if given is None:
        variable = settings.get("envvar")
        text = os.environ.get(variable) if variable else None
        if text is None:
            if parameter.required:
                raise _Unusual
            return parameter.default
        if parameter.is_list or parameter.kind is bool:
            raise _Unusual
        given = [text]
    if parameter.kind is bool:
        return True
    if parameter.is_list:
        return [parameter.read(text) for text in given]
    if len(given) > 1:
        raise _Unusual
    return parameter.read(given[0])


def _sort(parameters: Mapping[str, _Parameter], words: Sequence[str]) -> dict[str, list[str]]:
    """Find out which words belong to which parameter."""
    options = {word: name for name, one in parameters.items() for word in _words(name, one)}
    given: dict[str, list[str]] = {}
    free: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            free += rest
            break
        if len(word) < 2 or not word.startswith("-"):
            free.append(word)
            continue
        word, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = options.get(word)
        if name is None:
            raise _Unusual
        if parameters[name].kind is bool:
            if equals:
                raise _Unusual
        elif not equals:
            if not rest or (rest[0].startswith("-") and rest[0] != "-"):
                raise _Unusual
            value = rest.pop(0)
        given.setdefault(name, []).append(value)
    for name, one in parameters.items():
        if isinstance(one.declared, Argument) and free:
            given[name], free = (free, []) if one.is_list else (free[:1], free[1:])
    if free:
        raise _Unusual
    return given


def _words(name: str, parameter: _Parameter) -> Sequence[str]:
    declared = parameter.declared
    if isinstance(declared, Argument):
        return ()
    words = declared.words or ((f"--{name.replace('_', '-')}",) if parameter.kind is not bool else ("/",))
    if any("/" in word for word in words):  # a switch with its opposite
        raise _Unusual
    return words
