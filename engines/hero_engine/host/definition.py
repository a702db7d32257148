"""What a function for scripts is: a typed Python function, defined once, from which every language's form is derived.

A family is a module with one `Family`, whose decorators collect its functions. The docstring is the documentation, the
hints say what a script may pass. Rhai names, modules, HeroScript actions, docs/functions.md and the definitions for
editors are made from `HostFunction`. Nothing here runs a script or knows a language.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hero_engine.host.call import Call

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_SHOWN = {int: "int", float: "float", str: "string", bool: "bool", bytes: "blob", list: "array", dict: "map"}


class FunctionMalformed(TypeError):
    """The definition of a function cannot be offered to scripts; a mistake of its author.

    Args:
        name: The function.
        reason: What is wrong with its definition.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"function {self.name}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostParameter:
    """One parameter.

    Attributes:
        name: Its name.
        classes: The exact classes of the values that it takes; None for any value.
        shown: The same in the words of scripts, for example `int`.
        required: Whether a call must pass it.
    """

    name: str
    classes: frozenset[type] | None
    shown: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFunction:
    """One function, or one method of a handle.

    Attributes:
        family: The family that it belongs to.
        name: The name by which scripts call it.
        python: The Python function.
        takes_call: Position of its parameter `call`, which the binding fills in; None without one.
        parameters: What scripts pass, without `call`. The first one of a method is the handle.
        result: The type of its result, in the words of scripts.
        needs: The right that it needs as a whole; "" for none. A function may check more while it runs.
        blocks: Whether it waits for something outside the process.
        action: Name of its HeroScript action; "" for none.
        summary: The first paragraph of its docstring.
        example: The lines below `Example:` of its docstring.
    """

    family: Family
    name: str
    python: Callable[..., Any]
    takes_call: int | None
    parameters: tuple[HostParameter, ...]
    result: str
    needs: str
    blocks: bool
    action: str
    summary: str
    example: str

    @property
    def least(self) -> int:
        """The fewest arguments of a call."""
        return sum(parameter.required for parameter in self.parameters)

    @property
    def signature(self) -> str:
        """How a script calls it, for example `file_read(path: string) -> string`."""
        shown = ", ".join(f"{p.name}{'' if p.required else '?'}: {p.shown}" for p in self.parameters)
        return f"{self.name}({shown}) -> {self.result}"


class Family:
    """A family of functions: what they have in common, and the list of them.

    Args:
        name: Scripts reach its functions as `NAME::function` too.
        title: One sentence that says what the family is for.
        prefix: Begins each error that a script catches, for example `"Git error: "`.
        needs: The right that each of its functions needs, unless the function says otherwise; "" for none.
    """

    def __init__(self, name: str, title: str, *, prefix: str = "", needs: str = "") -> None:
        self.name = name
        self.title = title
        self.prefix = prefix
        self.needs = needs
        self.functions: list[HostFunction] = []

    def function(
        self, name: str = "", *, needs: str | None = None, blocks: bool = False, action: str = ""
    ) -> Callable[[F], F]:
        """Offer the decorated function to scripts. Several with one name are overloads; the first that fits is called.

        Args:
            name: The name for scripts; "" for that of the function.
            needs: The right that it needs; None for the family's.
            blocks: Whether it waits for something outside the process.
            action: Name of its HeroScript action, `actor.name`; "" for none.

        Returns:
            A decorator that returns the function unchanged.

        Raises:
            FunctionMalformed: A parameter has no hint, or one that no script can meet, or the docstring is missing.
        """

        def add(function: F) -> F:
            self._add(function, name or function.__name__, needs=needs, blocks=blocks, action=action)
            return function

        return add

    def handle(self, cls: C) -> C:
        """Offer the public methods of a class to scripts: of a builder, or of something that a function has opened.

        A script holds the object and calls its methods, but sees nothing inside. Methods that share a name, in whatever
        family, are told apart by the class of the object. A trailing underscore keeps a name of Python, such as
        `and_`, usable.

        Args:
            cls: The class, no dataclass, of which a script would get a copy as a map. Each public method has hints and
                a docstring.

        Raises:
            FunctionMalformed: The class is a dataclass, or a method cannot be offered.
        """
        if dataclasses.is_dataclass(cls):
            raise FunctionMalformed(cls.__name__, "a dataclass reaches a script as a map; make a plain class of it")
        for name, method in vars(cls).items():
            if not name.startswith("_") and inspect.isfunction(method):
                self._add(method, name.rstrip("_"), owner=cls)
        if "__repr__" not in vars(cls):  # that of object would show scripts an address in memory
            cls.__repr__ = _name_only  # type: ignore[method-assign, assignment]
        return cls

    def _add(
        self,
        function: Callable[..., Any],
        name: str,
        *,
        owner: type | None = None,
        needs: str | None = None,
        blocks: bool = False,
        action: str = "",
    ) -> None:
        self.functions.append(
            HostFunction(
                family=self,
                name=name,
                python=function,
                takes_call=_call_position(function),
                parameters=_parameters(function, name, owner),
                result=_result(function, owner),
                needs=self.needs if needs is None else needs,
                blocks=blocks,
                action=action,
                summary=_summary(function, name),
                example=_example(function),
            )
        )


def _hints(function: Callable[..., Any], owner: type | None) -> Mapping[str, Any]:
    # A method may name its own class, which is not in the module before the decorator has returned.
    local = {owner.__name__: owner} if owner is not None else None
    return typing.get_type_hints(function, localns=local)


def _name_only(handle: object) -> str:
    return f"<{type(handle).__name__}>"


def _call_position(function: Callable[..., Any]) -> int | None:
    names = list(inspect.signature(function).parameters)
    return names.index("call") if "call" in names else None


def _parameters(function: Callable[..., Any], name: str, owner: type | None) -> tuple[HostParameter, ...]:
    hints = _hints(function, owner)
    found = []
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        hint = owner if owner is not None and position == 0 else hints.get(parameter.name)
        if parameter.name == "call":
            if hint is not Call:
                raise FunctionMalformed(name, "the parameter call is the run's Call")
            continue
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise FunctionMalformed(name, f"scripts pass arguments by position only, not {parameter.name}")
        if hint is None:
            raise FunctionMalformed(name, f"the parameter {parameter.name} needs a type hint")
        found.append(
            HostParameter(
                name=parameter.name,
                classes=_classes(hint),
                shown=_shown(hint),
                required=parameter.default is parameter.empty,
            )
        )
    return tuple(found)


def _classes(hint: Any) -> frozenset[type] | None:
    if hint in (Any, object):
        return None
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [_classes(part) for part in typing.get_args(hint)]
        return None if None in parts else frozenset[type]().union(*(part for part in parts if part is not None))
    if typing.get_origin(hint) is typing.Literal:
        return frozenset(map(type, typing.get_args(hint)))
    plain = typing.get_origin(hint) or hint
    if plain is Callable or plain is typing.get_origin(Callable[[], Any]):
        return None
    if plain in (Sequence, tuple):
        plain = list
    elif plain is Mapping or typing.is_typeddict(plain):
        plain = dict
    # A script that writes 1 for 1.0 means the same.
    return frozenset({float, int}) if plain is float else frozenset({plain})


def _shown(hint: Any) -> str:
    if hint in (Any, object):
        return "any"
    if hint in (None, type(None)):
        return "()"
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " | ".join(map(_shown, typing.get_args(hint)))
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(f'"{choice}"' for choice in typing.get_args(hint))
    plain = typing.get_origin(hint) or hint
    if plain in (Sequence, tuple):
        return "array"
    if plain is Mapping or typing.is_typeddict(plain):
        return "map"
    if plain is typing.get_origin(Callable[[], Any]):
        return "function"
    return _SHOWN.get(plain, getattr(plain, "__name__", "any"))


def _result(function: Callable[..., Any], owner: type | None) -> str:
    return _shown(_hints(function, owner).get("return", Any))


def _summary(function: Callable[..., Any], name: str) -> str:
    text = inspect.getdoc(function)
    if not text:
        raise FunctionMalformed(name, "it needs a docstring, which is its documentation")
    return " ".join(text.split("\n\n")[0].split())


def _example(function: Callable[..., Any]) -> str:
    _, _, example = (inspect.getdoc(function) or "").partition("\nExample:\n")
    lines = [line.removeprefix("    ") for line in example.split("\n\n")[0].splitlines()]
    return "\n".join(lines).rstrip()
