"""Third-party actors: turns a `command` of the config into the arguments and environment of one process.

Pure. Used by `spec.py`. A third-party program learns where its jobs are from placeholders in its arguments and in its
own `env`, and always from the environment: `HERO_REDIS_URL`, `HERO_NAMESPACE`, `HERO_TYPE`. Invariant: the store's
password is only in the environment. Every user of the machine can read arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit


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

    def fill_argument(self, text: str) -> str:
        """Fill in an argument of the command, where `{redis_url}` has no password. Other braces stay as they are."""
        return self._filled(text, without_password(self.redis_url))

    def fill(self, text: str) -> str:
        """Fill in a variable of the entry's `env`. Other braces stay as they are."""
        return self._filled(text, self.redis_url)

    def _filled(self, text: str, redis_url: str) -> str:
        for name, value in (
            ("{redis_url}", redis_url),
            ("{namespace}", self.namespace),
            ("{type}", self.script_type),
        ):
            text = text.replace(name, value)
        return text


def without_password(url: str) -> str:
    """Leave the passwords out of the URL of a store: that of the server, and that of its sentinels."""
    parts = urlsplit(url)
    identity, at, places = parts.netloc.rpartition("@")
    user = identity.partition(":")[0]
    options = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in options if name != "sentinel_password"]
    query = parts.query if len(kept) == len(options) else urlencode(kept)
    if not at and query == parts.query:
        return url
    scheme, _, _ = url.partition("://")
    login = f"{user}@" if user else ""
    return f"{scheme}://{login}{places}{parts.path}{f'?{query}' if query else ''}"


def fill_slot(text: str, slot: str) -> str:
    """Fill in the name of the process's slot."""
    return text.replace("{slot}", slot)


def fill_slots(environ: Mapping[str, str], slot: str) -> dict[str, str]:
    """Fill in the name of the process's slot in all values."""
    return {name: fill_slot(value, slot) for name, value in environ.items()}
