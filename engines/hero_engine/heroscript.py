"""The former place of the HeroScript language, for packages with handlers that still import it from here.

New code imports `hero_engine.languages.heroscript`.
"""

from hero_engine.languages.heroscript import *  # noqa: F403  the language's `__all__` decides
