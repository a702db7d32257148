"""Third-party actors: turns a `command` of the config into the arguments and environment of one process.

Pure. Used by `spec.py`. A third-party program learns where its jobs are from placeholders in its arguments and in its
own `env`, and always from the environment: `HERO_REDIS_URL`, `HERO_NAMESPACE`, `HERO_TYPE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """What the placeholders of an entry stand for.

    Attributes:
        redis_url: URL of the store, with its password.
        namespace: First part of the store's keys.
        script_type: Script type that the entry serves, in lower case.
    """

    redis_url: str = field(repr=False)
    namespace: str
    script_type: str

    def environ(self) -> dict[str, str]:
        """Give the variables that every third-party program finds in its environment."""
        return {"HERO_REDIS_URL": self.redis_url, "HERO_NAMESPACE": self.namespace, "HERO_TYPE": self.script_type}

    def fill(self, text: str) -> str:
        """Fill in what is the same for all processes of an entry. Other braces stay as they are."""
        for name, value in (
            ("{redis_url}", self.redis_url),
            ("{namespace}", self.namespace),
            ("{type}", self.script_type),
        ):
            text = text.replace(name, value)
        return text


def fill_slot(text: str, slot: str) -> str:
    """Fill in the name of the process's slot."""
    return text.replace("{slot}", slot)


def fill_slots(environ: Mapping[str, str], slot: str) -> dict[str, str]:
    """Fill in the name of the process's slot in all values."""
    return {name: fill_slot(value, slot) for name, value in environ.items()}
