"""Loads the settings: defaults, a file, its drop-ins, the environment, flags; each knows where it came from.

Owned here: which layers there are, and their order. Called by each program at its start, and again for a reload.
Invariant: either a complete valid `Settings` comes out, or one `ConfigError` that names every problem of every layer.

pydantic-settings is not used: it merges its sources before they are validated, after which nobody can say which line or
variable a wrong value came from, and it takes a missing file for an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hero_config.layers.files import read_files
from hero_config.layers.keys import path_of, typed
from hero_config.layers.layers import Layers, Origin, ValueLayer
from hero_config.layers.lines import Path as KeyPath
from hero_config.layers.problems import ConfigError, ConfigProblem
from hero_config.layers.validate import check_file, check_value, settle
from hero_config.model.settings import Settings

__all__ = ["Config", "ConfigError", "ConfigProblem", "Flag", "load", "load_config"]

_PREFIX = "HERO_"
_SEPARATOR = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One setting given on the command line.

    Attributes:
        option: The flag as it is told: `--port`, `--set rpc.port`.
        key: Dotted path of the key; an entry of `actors` by its number from 0 or its name.
        text: Its value, written as in a variable.
    """

    option: str
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings, and how they came about.

    Attributes:
        settings: Complete and valid.
        layers: The values that are not defaults, and where they came from.
        files: The files that were read, in their order.
        secret_files: Those of them that hold secrets which are not among the values.
        notes: What was given and does nothing; no reason to refuse it.
    """

    settings: Settings
    layers: Layers
    files: tuple[str, ...]
    secret_files: tuple[str, ...]
    notes: tuple[ConfigProblem, ...]

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at a path came from."""
        return self.layers.origin(path)


def load(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, flags: Sequence[Flag] = ()
) -> Settings:
    """Read the settings from all layers.

    Args:
        path: The TOML file; None for no file. Those of `conf.d/` beside it belong to it.
        environ: Environment variables; `os.environ` when None. `HERO_<SECTION>__<KEY>` sets a key,
            `HERO_ACTORS__<N>__<KEY>` one of the N-th actor (from 0) or that of this name. Texts are taken as they are,
            everything else is written as in TOML. Variables without `__` belong to other programs.
        flags: Those of the command line, in their order.

    Returns:
        The complete, valid settings.

    Raises:
        ConfigError: A file is missing, unreadable or not TOML; or a key is unknown, or a value is of a wrong type or
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
    environ = os.environ if environ is None else environ
    files, problems = read_files(Path(path)) if path is not None else ([], [])
    layers = Layers()
    # What is missing from a file that cannot be read is not missing from the configuration.
    whole = not problems
    for file in files:
        problems += sorted((*file.problems, *check_file(file.layer)), key=lambda problem: problem.line or 0)
        whole = whole and file.whole
        unlaid = layers.lay_file(file.layer)
        problems += unlaid if whole else []
    for layer in (*_variables(environ), *_flags(flags)):
        wrong = check_value(layer)
        unlaid_value = layers.lay_value(layer)
        problems += [unlaid_value] if unlaid_value and whole else wrong
    settings, together = settle(layers, str(path or ""))
    problems += together if whole else []
    if problems or settings is None:
        raise ConfigError(tuple(problems))
    notes = [*(note for file in files for note in file.notes), *_misspelt_variables(environ)]
    return Config(
        settings=settings,
        layers=layers,
        files=tuple(file.layer.source for file in files),
        secret_files=tuple(file.layer.source for file in files if file.layer.has_secrets),
        notes=tuple(notes),
    )


def _variables(environ: Mapping[str, str]) -> list[ValueLayer]:
    layers = []
    for variable in sorted(environ):
        if variable.startswith(_PREFIX) and _SEPARATOR in variable:
            path = path_of(variable[len(_PREFIX) :].split(_SEPARATOR))
            value = typed(path, environ[variable])
            layers.append(ValueLayer(kind="variable", source=variable, path=path, value=value))
    return layers


def _flags(flags: Sequence[Flag]) -> list[ValueLayer]:
    layers = []
    for flag in flags:
        path = path_of(flag.key.split("."))
        layers.append(ValueLayer(kind="flag", source=flag.option, path=path, value=typed(path, flag.text)))
    return layers


def _misspelt_variables(environ: Mapping[str, str]) -> list[ConfigProblem]:
    """Variables that would set something if they had two underscores where they have one."""
    meant = {
        f"{_PREFIX}{section}_{key}".upper(): f"{_PREFIX}{section}{_SEPARATOR}{key}".upper()
        for section in Settings.model_fields
        if section != "actors"
        for key in type(getattr(Settings(), section)).model_fields
    }
    return [
        ConfigProblem(
            source=variable, expected="is not looked at, two underscores are missing", nearest=meant[variable]
        )
        for variable in sorted(environ)
        # Kubernetes gives its containers HERO_RPC_PORT=tcp://... for a Service hero-rpc.
        if variable in meant and not environ[variable].startswith("tcp://")
    ]
