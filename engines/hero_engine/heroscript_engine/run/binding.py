"""Turns an action's parameters into a handler's arguments, guided by its annotations, and calls it.

Each parameter of a handler is a key of the action, with these exceptions: one named `ctx` or annotated `Context` gets
the context; one annotated `Action` or `Params` gets that; `*names` gets the arguments without a key; `**names` gets all
other keys. A trailing underscore is not part of the key (`from_`).

It loads pydantic, so only the template and its children import it.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from hero_engine.heroscript_engine.run.actions import Handler, VocabularyError
from hero_engine.heroscript_engine.run.context import Context
from hero_engine.languages.heroscript import Action, ParamError, Params, did_you_mean

#: A parameter of every action: the run continues if the action fails.
IGNORE_ERROR = "ignore_error"
#: A parameter of every action: the word `{NAME}` that its result becomes, for the actions that follow.
RESULT_TO = "result_to"
_ALWAYS_KNOWN = frozenset({IGNORE_ERROR, RESULT_TO})

_EMPTY = inspect.Parameter.empty
_BY_KEY = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})


class _Key:
    """A parameter of a handler that is a key of the action."""

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.key = name.rstrip("_")
        self.default = default
        self.expected = inspect.formatannotation(annotation)
        self._adapter: TypeAdapter[Any] | None = None if annotation is str else TypeAdapter(annotation)
        self._is_list = _is_list(annotation)
        self._is_nested = _is_nested(annotation)

    def read(self, action: Action) -> Any:
        params = action.params
        if not params.exists(self.key):
            if self.default is _EMPTY:
                message = f"{action.full_name}: parameter {self.key} is missing; expected: {self.expected}"
                raise ParamError(message, place=action.place, hint=did_you_mean(self.key, params.get_map()))
            return self.default
        text = params.get(self.key)
        if self._adapter is None:
            return text
        try:
            if self._is_nested and text.startswith(("{", "[")):
                return self._adapter.validate_json(text)
            if self._is_list:
                return self._adapter.validate_python(params.get_list(self.key))
            if self._is_nested:
                return self._adapter.validate_python(params.get_params(self.key).get_map())
            return self._adapter.validate_python(text)
        except ValidationError as e:
            found = e.errors(include_url=False, include_input=False)
            said = "; ".join(f"{_path(item['loc'])}{item['msg']}" for item in found[:3])
            message = f"{action.full_name}: parameter {self.key} is {text!r:.80}; expected: {self.expected}; {said}"
            raise ParamError(message, place=params.place_of(self.key), text=text) from e


class Binding:
    """A handler, prepared for calls.

    Args:
        handler: The function.

    Raises:
        VocabularyError: An action cannot fill its parameters.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._plan: list[tuple[inspect.Parameter, _Key | type]] = []
        title = f"{handler.__module__}.{getattr(handler, '__qualname__', handler)}"
        try:
            hints = typing.get_type_hints(handler, include_extras=True)
            for parameter in inspect.signature(handler).parameters.values():
                self._plan.append((parameter, _source_of(parameter, hints.get(parameter.name, str))))
        except (NameError, PydanticSchemaGenerationError) as e:
            raise VocabularyError(f"the handler {title} has an annotation that cannot be used: {e}") from e
        self._keys = {source.key for _, source in self._plan if isinstance(source, _Key)}
        kinds = {parameter.kind for parameter, source in self._plan}
        gets_params = any(source in (Params, Action) for _, source in self._plan)
        self._takes_keys = gets_params or inspect.Parameter.VAR_KEYWORD in kinds
        self._takes_args = gets_params or inspect.Parameter.VAR_POSITIONAL in kinds

    def ignores_error(self, action: Action) -> bool:
        """Whether the run continues if this action fails."""
        return IGNORE_ERROR not in self._keys and action.params.get_default_false(IGNORE_ERROR)

    def word_of_result(self, action: Action) -> str:
        """The name of the word that the result becomes; "" for none."""
        return "" if RESULT_TO in self._keys else action.params.get_default(RESULT_TO, "")

    def call(self, ctx: Context) -> object:
        """Call the handler for the context's action.

        Raises:
            ParamError: A parameter is missing, unknown or invalid.
            Exception: Any exception of the handler.
        """
        action = ctx.action
        self._check_unknown(action)
        given = {Context: ctx, Action: action, Params: action.params}
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter, source in self._plan:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += action.params.args
            elif parameter.kind is parameter.VAR_KEYWORD:
                rest = action.params.get_map().items()
                named |= {key: text for key, text in rest if key not in self._keys | _ALWAYS_KNOWN}
            else:
                value = source.read(action) if isinstance(source, _Key) else given[source]
                if parameter.kind is parameter.KEYWORD_ONLY:
                    named[parameter.name] = value
                else:
                    positional.append(value)
        result = self._handler(*positional, **named)
        if inspect.iscoroutine(result):
            import asyncio

            result = asyncio.run(result)
        return result

    def _check_unknown(self, action: Action) -> None:
        params = action.params
        if not self._takes_keys:
            _refuse_unknown(action, self._keys)
        if not self._takes_args and params.args:
            message = f"{action.full_name}: takes no argument without a key, found: {params.args[0]}"
            raise ParamError(message, place=action.place)


def read_further_parameters(action: Action, handler: Handler, types: Mapping[str, Any]) -> dict[str, Any]:
    """Read parameters that a handler takes as `**names`, once their types are known.

    Args:
        action: The action that is running.
        handler: Its handler.
        types: Type of each further parameter that may be given.

    Returns:
        The values of those that are given.

    Raises:
        ParamError: A parameter is unknown or invalid.
    """
    own = {name for name, parameter in inspect.signature(handler).parameters.items() if parameter.kind in _BY_KEY}
    known = (own | types.keys()) - {"ctx"}
    _refuse_unknown(action, known)
    given = [name for name in types if action.params.exists(name)]
    return {name: _Key(name, types[name], _EMPTY).read(action) for name in given}


def _refuse_unknown(action: Action, known: AbstractSet[str]) -> None:
    for key in action.params.get_map():
        if key not in known | _ALWAYS_KNOWN:
            listed = ", ".join(sorted(known)) or "none"
            message = f"{action.full_name}: there is no parameter {key}; known: {listed}"
            raise ParamError(message, place=action.params.place_of(key), hint=did_you_mean(key, known))


def _source_of(parameter: inspect.Parameter, annotation: Any) -> _Key | type:
    if parameter.name == "ctx" or annotation is Context:
        return Context
    if annotation is Action or annotation is Params:
        return typing.cast(type, annotation)
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return str
    return _Key(parameter.name, annotation, parameter.default)


def _is_list(annotation: Any) -> bool:
    return any(isinstance(kind, type) and issubclass(kind, Sequence | AbstractSet) for kind in _kinds(annotation))


def _is_nested(annotation: Any) -> bool:
    return _is_list(annotation) or any(
        isinstance(kind, type) and (issubclass(kind, Mapping | BaseModel) or dataclasses.is_dataclass(kind))
        for kind in _kinds(annotation)
    )


def _kinds(annotation: Any) -> list[Any]:
    """The classes that an annotation allows, except text, which is technically a sequence."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _kinds(part)]
    kind = origin or annotation
    return [] if isinstance(kind, type) and issubclass(kind, str | bytes | bytearray) else [kind]


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) + ": " if location else ""
