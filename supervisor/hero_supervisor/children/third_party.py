"""Actors of another make: what a `command` of the config becomes for one process.

Pure. Used by `spec.py`. A foreign program learns where its jobs are by placeholders in its arguments and in its own
`env`, and always by the environment: `HERO_REDIS_URL`, `HERO_NAMESPACE`, `HERO_TYPE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What placeholders stand for.

    Attributes:
        redis_url: URL of the store, password and all.
        namespace: First part of its keys.
        script_type: Script type it serves, in lower case.
    """

    redis_url: str = field(repr=False)
    namespace: str
    script_type: str

    def environ(self) -> dict[str, str]:
        """What every foreign program finds in its environment."""
        return {"HERO_REDIS_URL": self.redis_url, "HERO_NAMESPACE": self.namespace, "HERO_TYPE": self.script_type}

    def fill(self, text: str) -> str:
        """Put in what is the same for all processes of an entry; braces of any other kind stay as they are."""
        for name, value in (
            ("{redis_url}", self.redis_url),
            ("{namespace}", self.namespace),
            ("{type}", self.script_type),
        ):
            text = text.replace(name, value)
        return text


def fill_slot(text: str, slot: str) -> str:
    """Put in the name of the process's slot."""
    return text.replace("{slot}", slot)


def fill_slots(environ: Mapping[str, str], slot: str) -> dict[str, str]:
    """Put it into all values."""
    return {name: fill_slot(value, slot) for name, value in environ.items()}
