"""Loads the settings: defaults, a file, its drop-ins, the environment, flags.

Owns which layers there are, and their order. Every program calls it at its start; the service also for a reload.
Invariant: the result is either complete, valid `Settings`, or one `ConfigError` with the problems of all layers. Only a
file that is not TOML stops at its first error.

pydantic-settings is not used: it merges its sources before it validates them, so a message could not name the line or
the variable of a wrong value; and it treats a missing file as an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hero_config.layers.files import read_files
from hero_config.layers.key_paths import KeyPath, parse_value, path_of
from hero_config.layers.merge import Layers, Origin, ValueLayer
from hero_config.layers.places import SHORT_VARIABLES
from hero_config.layers.problems import ConfigError, ConfigProblem
from hero_config.layers.validate import build_settings, check_file, check_value
from hero_config.model.settings import Settings

__all__ = ["Config", "ConfigError", "ConfigProblem", "Flag", "load", "load_config"]

_PREFIX = "HERO_"
_SEPARATOR = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One setting given on the command line.

    Attributes:
        option: The flag as it appears in messages: `--port`, `--set rpc.port`.
        key: Dotted path of the key; an entry of `actors` by its number, from 0, or its name.
        text: Its value, written as in an environment variable.
    """

    option: str
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings, and where they came from.

    Attributes:
        settings: Complete and valid.
        layers: The values that are not defaults, and where they came from.
        files: The files that were read, in order.
        secret_files: Those that hold secrets which the values contain as hashes only.
        notes: What was given but has no effect; the service starts all the same.
    """

    settings: Settings
    layers: Layers
    files: tuple[str, ...]
    secret_files: tuple[str, ...]
    notes: tuple[ConfigProblem, ...]

    def origin(self, path: KeyPath) -> Origin:
        """Find where the value at a path came from."""
        return self.layers.origin(path)


def load(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, flags: Sequence[Flag] = ()
) -> Settings:
    """Read the settings from all layers.

    Args:
        path: The TOML file; None for no file. The files of `conf.d/` beside it belong to it.
        environ: Environment variables; `os.environ` if None. `HERO_<SECTION>__<KEY>` sets a key,
            `HERO_ACTORS__<N>__<KEY>` a key of an actor, with its number (from 0) or its name as N. Strings are written
            bare, other values as in TOML. In `os.environ`, `HERO_REDIS_URL`, `HERO_NAMESPACE` and `HERO_SOCKET` are
            short for three of them. Other variables without `__` belong to other programs.
        flags: The flags of the command line, in order.

    Returns:
        The complete, valid settings.

    Raises:
        ConfigError: A file is missing, unreadable or not TOML; a key is unknown; or a value has a wrong type or is
            out of range.
    """
    return load_config(path, environ=environ, flags=flags).settings


def load_config(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, flags: Sequence[Flag] = ()
) -> Config:
    """Read the settings from all layers, and keep where each came from.

    Args:
        path: As for `load`.
        environ: As for `load`.
        flags: As for `load`.

    Returns:
        The settings with their origins.

    Raises:
        ConfigError: As for `load`.
    """
    # The short names are for people at a shell: they count in the environment of the program only.
    short_names = SHORT_VARIABLES if environ is None else {}
    environ = os.environ if environ is None else environ
    files, problems = read_files(Path(path)) if path is not None else ([], [])
    layers = Layers()
    # A key that seems to be missing may be in a file that cannot be read; such problems are not reported then.
    all_readable = not problems
    for file in files:
        problems += sorted((*file.problems, *check_file(file)), key=lambda problem: problem.line or 0)
        all_readable = all_readable and file.readable
        unmerged = layers.add_file(file)
        problems += unmerged if all_readable else []
    for layer in (*_variables(environ, short_names), *_flags(flags)):
        wrong = check_value(layer)
        misplaced = layers.add_value(layer)
        problems += [misplaced] if misplaced and all_readable else wrong
    settings, disagreements = build_settings(layers, str(path or ""))
    problems += disagreements if all_readable else []
    if problems or settings is None:
        raise ConfigError(tuple(problems))
    notes = [*(note for file in files for note in file.notes), *_misspelt_variables(environ)]
    return Config(
        settings=settings,
        layers=layers,
        files=tuple(file.source for file in files),
        secret_files=tuple(file.source for file in files if file.has_secrets),
        notes=tuple(notes),
    )


def _variables(environ: Mapping[str, str], short_names: Mapping[str, str]) -> list[ValueLayer]:
    layers = []
    for variable in sorted(environ):
        # A short name means a setting only where the long one is not given.
        short = short_names.get(variable, "")
        name = short if short and environ[variable] and short not in environ else variable
        if name.startswith(_PREFIX) and _SEPARATOR in name:
            path = path_of(name[len(_PREFIX) :].split(_SEPARATOR))
            value = parse_value(path, environ[variable])
            layers.append(ValueLayer(kind="variable", source=variable, path=path, value=value))
    return layers


def _flags(flags: Sequence[Flag]) -> list[ValueLayer]:
    layers = []
    for flag in flags:
        path = path_of(flag.key.split("."))
        layers.append(ValueLayer(kind="flag", source=flag.option, path=path, value=parse_value(path, flag.text)))
    return layers


def _misspelt_variables(environ: Mapping[str, str]) -> list[ConfigProblem]:
    """Note variables that have one underscore where two would make them a setting."""
    meant = {
        f"{_PREFIX}{section}_{key}".upper(): f"{_PREFIX}{section}{_SEPARATOR}{key}".upper()
        for section in Settings.model_fields
        if section != "actors"
        for key in type(getattr(Settings(), section)).model_fields
    }
    return [
        ConfigProblem(
            source=variable, expected="has no effect: two underscores must follow the section", nearest=meant[variable]
        )
        for variable in sorted(environ)
        # For a Service named hero-rpc, Kubernetes sets HERO_RPC_PORT=tcp://... in its containers.
        if variable in meant and not environ[variable].startswith("tcp://")
    ]
