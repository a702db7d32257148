"""Loads the settings: defaults, then a TOML file, then the environment; each error says where the value came from.

Owned here: the layers and their order. Called once by each program at its start. Invariant: either a complete valid
`Settings` comes out, or one `ConfigError` that names every problem there is.

pydantic-settings is not used: it merges its sources before they are validated, after which nobody can say which line or
variable a wrong value came from, and it takes a missing file for an empty one.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hero_config.lines import Path as KeyPath
from hero_config.lines import find_lines, line_of
from hero_config.problems import ConfigError, ConfigProblem, shown
from hero_config.settings import Settings

__all__ = ["ConfigError", "ConfigProblem", "load"]

_PREFIX = "HERO_"
_SEPARATOR = "__"


def load(path: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from a file and the environment.

    Args:
        path: The TOML file; None for defaults and environment alone.
        environ: Environment variables; `os.environ` when None. `HERO_<SECTION>__<KEY>` sets a key,
            `HERO_ACTORS__<N>__<KEY>` one of the N-th actor (from 0). Texts are taken as they are, everything else is
            written as in TOML. Variables without `__` belong to other programs and are not looked at.

    Returns:
        The complete, valid settings.

    Raises:
        ConfigError: The file is missing, unreadable or not TOML; or a key is unknown, or a value is of a wrong type or
            out of range.
    """
    layers = _Layers("" if path is None else str(path))
    if path is not None:
        layers.add_file(Path(path))
    for variable, value in (os.environ if environ is None else environ).items():
        if variable.startswith(_PREFIX) and _SEPARATOR in variable:
            layers.add_variable(variable, value)
    return layers.settings()


class _Layers:
    """The values gathered so far, and where each came from."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values: dict[str, Any] = {}
        self._lines: dict[KeyPath, int] = {}
        self._variables: dict[KeyPath, str] = {}
        self._problems: list[ConfigProblem] = []

    def add_file(self, path: Path) -> None:
        """Take the values of a TOML file. Nothing else can be told when it cannot be read, so this raises at once."""
        try:
            text = path.read_text(encoding="utf-8")
            self._values = tomllib.loads(text)
        except FileNotFoundError:
            expected = "the file does not exist"
        except OSError as e:
            expected = f"cannot be read: {e.strerror}"
        except UnicodeDecodeError as e:
            expected = f"is not UTF-8 (byte {e.start})"
        except tomllib.TOMLDecodeError as e:
            expected = f"is not TOML: {e}"
        else:
            self._lines = find_lines(text)
            return
        raise ConfigError((ConfigProblem(source=self._file, expected=expected),))

    def add_variable(self, variable: str, value: str) -> None:
        """Lay the value of one environment variable over what is there."""
        path = _path_of(variable)
        here: Any = self._values
        if path[0] == "actors" and "actors" not in here:
            here["actors"] = [{"type": actor.type} for actor in Settings().actors]
        for part, following in pairwise(path):
            if isinstance(here, list):
                if not isinstance(part, int) or part >= len(here):
                    self._reject(variable, path, f"no such entry ({len(here)} in all, counted from 0)")
                    return
                here = here[part]
            elif isinstance(here, dict):
                here = here.setdefault(part, [] if isinstance(following, int) else {})
            if not isinstance(here, dict | list):
                self._reject(variable, path, "is not below a section")
                return
        if isinstance(here, list):
            self._reject(variable, path, "names an entry, not a key of it")
            return
        here[path[-1]] = _typed(path, value)
        self._variables[path] = variable

    def settings(self) -> Settings:
        """Validate everything at once."""
        try:
            settings = Settings.model_validate(self._values)
        except ValidationError as e:
            self._problems += [self._describe(error) for error in e.errors(include_url=False)]
            self._problems.sort(key=lambda problem: (problem.source != self._file, problem.line or 0))
            raise ConfigError(tuple(self._problems)) from None
        if self._problems:
            raise ConfigError(tuple(self._problems))
        return settings

    def _reject(self, variable: str, path: KeyPath, expected: str) -> None:
        self._problems.append(ConfigProblem(source=variable, key=_dotted(path), expected=expected))

    def _describe(self, error: ErrorDetails) -> ConfigProblem:
        path: KeyPath = error["loc"]
        variable = self._variables.get(path, "")
        kind = error["type"]
        nearest, value = "", shown(error["input"])
        if kind == "extra_forbidden":
            expected, nearest = "unknown key", _nearest(path)
        elif kind == "missing":
            expected, value = "missing", ""
        elif kind == "model_type":
            expected = "should be a section"
        elif kind == "value_error":
            expected = str(error["ctx"]["error"])
            # A rule about several keys is reported on their section, whose whole content would only hide the message.
            value = "" if isinstance(error["input"], dict) else value
        else:
            expected = error["msg"].replace("Input should be", "should be").replace("String should", "should")
        if path[-2:-1] == ("env",):
            value = ""  # the environment of a process is where secrets live
        return ConfigProblem(
            source=variable or self._file or "environment",
            key=_dotted(path),
            line=None if variable else line_of(path, self._lines),
            value=value,
            expected=expected,
            nearest=nearest,
        )


def _path_of(variable: str) -> KeyPath:
    """`HERO_ACTORS__0__ENV__Path` -> `("actors", 0, "env", "Path")`: names below `env` keep their case."""
    path: list[str | int] = []
    for part in variable[len(_PREFIX) :].split(_SEPARATOR):
        if path and path[-1] == "env":
            path.append(part)
        else:
            path.append(int(part) if part.isdecimal() else part.lower())
    return tuple(path)


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _typed(path: KeyPath, text: str) -> Any:
    """The text itself where a text is wanted, else what it means in TOML; what TOML does not know is refused later."""
    if _wants_text(path):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _wants_text(path: KeyPath) -> bool:
    model = _model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    return field is None or _is_text(field.annotation)


def _is_text(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_text(get_args(annotation)[0])
    if origin is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    return annotation is str


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    """The model that holds the keys below a path; None below `env` and below what does not exist."""
    model: type[BaseModel] = Settings
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = next((found for found in _models_in(field.annotation)), None) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _nearest(path: KeyPath) -> str:
    """The valid key nearest to an unknown one: in its own section first, then the same key in another section."""
    wrong = str(path[-1])
    model = _model_at(path[:-1])
    own = difflib.get_close_matches(wrong, list(model.model_fields), n=1) if model else []
    if own:
        return _dotted((*path[:-1], own[0]))
    for section, field in Settings.model_fields.items():
        for found in _models_in(field.annotation):
            if wrong in found.model_fields:
                return f"{section}.{wrong}"
    return ""
