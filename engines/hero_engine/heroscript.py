"""The HeroScript language under its import path of version 0.1, for packages with handlers that still use it.

It works until 0.4, with a `DeprecationWarning` that names the new path. It holds nothing of its own.
"""

import warnings

from hero_engine.languages.heroscript import *  # noqa: F403  the language's `__all__` decides

warnings.warn(
    "hero_engine.heroscript has moved; import from hero_engine.languages.heroscript", DeprecationWarning, stacklevel=2
)
