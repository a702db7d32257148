"""The vocabulary: maps the names of actions to handlers, and loads the packages that add handlers.

An exact name takes precedence over globs, and globs are tried in the order of their registration. Registering a name
twice is an error, because what a script does must not depend on the order in which packages are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from hero_engine.languages.heroscript.text.glob import Glob

ENTRY_POINT_GROUP = "hero.actions"
#: In the setting, this prefix marks a module that is loaded although no entry point names it.
MODULE_PREFIX = "module:"

#: The modules of `builtin`, whose actions are always loaded.
_BUILTIN = ("core", "git", "http", "job", "node", "osal", "package", "python", "store")

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)


class VocabularyError(Exception):
    """A package's handlers cannot be registered or loaded. Reported when the engine starts."""


class Vocabulary:
    """Handlers by the name of their action."""

    def __init__(self) -> None:
        self._exact: dict[str, Handler] = {}
        self._globs: dict[str, tuple[Glob, Handler]] = {}

    def add(self, name: str, handler: Handler) -> None:
        """Register a handler.

        Args:
            name: `actor.name`; with `*`, `?` or `[...]` it is a glob.
            handler: The function to call.

        Raises:
            VocabularyError: The name is malformed, or taken.
        """
        # Imported here: it loads the parser, which the actor's process does not need.
        from hero_engine.languages.heroscript.text.glob import Glob, is_glob

        actor, dot, rest = name.partition(".")
        if not (actor and dot and rest) or "." in rest or name != name.lower() or " " in name:
            raise VocabularyError(f"an action is named actor.name in lower case, not {name!r}")
        if name in self._exact or name in self._globs:
            taken = self._exact.get(name) or self._globs[name][1]
            raise VocabularyError(f"{name} is registered twice: by {_title(taken)} and by {_title(handler)}")
        if is_glob(name):
            self._globs[name] = (Glob(name), handler)
        else:
            self._exact[name] = handler

    def find(self, name: str) -> Handler | None:
        """Return the handler of an action, or None."""
        handler = self._exact.get(name)
        if handler is None:
            handler = next((handler for glob, handler in self._globs.values() if glob.matches(name)), None)
        return handler

    @property
    def names(self) -> list[str]:
        """All registered names and globs, sorted."""
        return sorted([*self._exact, *self._globs])


#: The vocabulary of this process.
VOCABULARY = Vocabulary()


def action(*names: str) -> Callable[[H], H]:
    """Register the decorated function as the handler of these actions.

    Args:
        names: Each one is `actor.name`, globs allowed.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        VocabularyError: A name is malformed, or taken.
    """

    def register(handler: H) -> H:
        for name in names:
            VOCABULARY.add(name, handler)
        return handler

    return register


def load_actions(allowed: Iterable[str]) -> list[str]:
    """Load the built-in handlers, and the packages with handlers that are allowed.

    Args:
        allowed: See `EngineSettings.actions`.

    Returns:
        The packages that were loaded, for the log.

    Raises:
        VocabularyError: A package does not load, or one that is allowed by name is not installed.
    """
    from importlib.metadata import entry_points

    from hero_engine.languages.heroscript.text.glob import is_glob

    for name in _BUILTIN:
        import_module(f"hero_engine.heroscript_engine.builtin.{name}")
    loaded: list[str] = []
    wanted = list(allowed)
    missing = {item for item in wanted if not is_glob(item)}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        names = (entry.name, entry.dist.name if entry.dist is not None else entry.name)
        matching = [item for item in wanted if any(fnmatchcase(name, item) for name in names)]
        missing.difference_update(matching)
        if matching:
            _load(entry.value, f"entry point '{entry.name}' of {names[1]}")
            loaded.append(entry.name)
    for item in wanted:
        if item.startswith(MODULE_PREFIX):
            missing.discard(item)
            _load(item.removeprefix(MODULE_PREFIX), f"'{item}' of HERO_ACTIONS")
            loaded.append(item)
    if missing:
        raise VocabularyError(f"HERO_ACTIONS allows what is not installed: {', '.join(sorted(missing))}")
    return loaded


def _load(spec: str, title: str) -> None:
    module_name, _, attribute = spec.partition(":")
    try:
        target: object = import_module(module_name)
        for name in filter(None, attribute.split(".")):
            target = getattr(target, name)
    except VocabularyError as e:
        raise VocabularyError(f"{title}: {e}") from e
    # A package is foreign code. To the operator, any exception means the same: it does not load.
    except Exception as e:
        raise VocabularyError(f"{title} does not load: {type(e).__name__}: {e}") from e


def _title(handler: Handler) -> str:
    return f"{handler.__module__}.{getattr(handler, '__qualname__', handler)}"
