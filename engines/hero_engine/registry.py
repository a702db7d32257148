"""Finds an engine by its name and loads it. No other engine is imported.

The name is one of three things: a built-in engine, an entry point of the group `hero.engines` of an installed
distribution, or a specification `module:factory`. A factory takes no arguments and returns an `Engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from hero_engine.engine import Engine
from hero_engine.errors import EngineUnavailable

ENTRY_POINT_GROUP = "hero.engines"

EngineFactory = Callable[[], Engine]

#: The built-in engines: name -> specification.
BUILTIN: Mapping[str, str] = MappingProxyType(
    {
        "heroscript": "hero_engine.heroscript_engine.engine:create_engine",
        "rhai": "hero_engine.rhai:create_engine",
        "v": "hero_engine.v.engine:create_engine",
    }
)


def load_engine(name: str) -> Engine:
    """Load the engine of this name.

    Args:
        name: A registered name, or `module:factory`.

    Returns:
        The engine, ready to run scripts.

    Raises:
        EngineUnavailable: The engine is unknown, not installed, or does not load.
    """
    factory = _find_factory(name)
    try:
        return factory()
    except EngineUnavailable:
        raise
    # A factory is foreign code. To the operator, any exception means the same: the engine does not load.
    except Exception as e:
        raise EngineUnavailable(name, f"its factory failed: {_describe(e)}", "Repair or reinstall the engine.") from e


def _find_factory(name: str) -> EngineFactory:
    if ":" in name:
        return _import_factory(name, name, "Name it as module:factory, and check that the module can be imported.")
    if name in BUILTIN:
        return _import_factory(name, BUILTIN[name], f"Install the engine '{name}' into this environment.")
    # Imported here: it takes some 20 ms and reads the disk, which the built-in engines need not pay for.
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if not found:
        known = sorted({*BUILTIN, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))})
        remedy = f"Known engines: {', '.join(known)}. Name any other engine as module:factory."
        raise EngineUnavailable(name, "no engine has this name", remedy)
    return _import_factory(name, found[0].value, "Repair or reinstall the distribution that offers it.")


def _import_factory(name: str, spec: str, remedy: str) -> EngineFactory:
    module_name, _, attribute = spec.partition(":")
    try:
        module = import_module(module_name)
    except EngineUnavailable:
        raise
    except Exception as e:
        # Only a built-in name is known to be spelled correctly, so only there can we say that something is missing.
        missing = name in BUILTIN and isinstance(e, ModuleNotFoundError)
        reason = f"module '{module_name}' does not import: {_describe(e)}"
        raise EngineUnavailable(name, reason, remedy, missing=missing) from e
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise EngineUnavailable(name, f"module '{module_name}' has no factory '{attribute}'", remedy)
    return cast("EngineFactory", factory)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
