"""Hides secrets of the configuration in messages and in the output of `config show`.

Pure. Invariant: every printed value of the configuration has passed through `without_secrets`. The name of a key
decides what is secret; passwords in URLs are hidden everywhere. So `config show` prints a secret under an innocent name
(`env = { X = "..." }`); error messages hide all of `env`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hero_config.layers.key_paths import KeyPath
from hero_config.model.urls import HIDDEN, shown_url

_RUN = re.compile(r"\S+")
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?s?$|passw|secret|token|credential|private|api_?key|access_?key|auth_?key|bearer|sha256",
    re.IGNORECASE,
)
_SECRET_IN_QUERY = re.compile(r"([?&](?=[^=&?\s]*(?:pass|pwd|secret|token))[^=&?\s]*+=)[^&\s]+", re.IGNORECASE)
_SECRET_FLAG = re.compile(r"-(?=[\w-]*(pass|secret|token|api-?key))[\w-]*+", re.IGNORECASE)

#: Keys whose name looks secret, but whose entries have parts to show.
_OPEN = frozenset({"tokens"})
#: Keys of `[actors.allow]` that say which secrets scripts may read, and where they are.
_ABOUT_SECRETS = frozenset({"secrets", "secrets_dir"})
#: Keys whose value is a URL, of which nothing may be shown if it can be misread.
_STORE_URL = re.compile(r"(?:rediss?|unix)[+a-z]{0,20}://", re.IGNORECASE)
_URLS = frozenset({"redis_url", "redis", "HERO_REDIS_URL", "REDIS_URL"})


def is_secret_name(name: str) -> bool:
    """Tell whether a key or an environment variable with this name holds a secret."""
    return name not in _OPEN | _ABOUT_SECRETS and _SECRET_NAME.search(name) is not None


def without_secrets(path: KeyPath, value: Any) -> Any:
    """Replace the secrets in a value by `***`.

    Args:
        path: The key of the value; its last name counts.
        value: Anything that TOML can hold.

    Returns:
        A value of the same form.
    """
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    # An entry of a list of tokens has a name and a scope to show. Anything else under that key is hidden.
    if isinstance(value, Mapping):
        return {key: without_secrets((*path, key), inner) for key, inner in value.items()}
    if is_secret_name(name) or (name in _OPEN and not isinstance(value, Sequence)):
        return [HIDDEN] * len(value) if isinstance(value, list | tuple) else HIDDEN if value != "" else ""
    if isinstance(value, list | tuple):
        if name in _OPEN and not all(isinstance(inner, Mapping) for inner in value):
            return [HIDDEN] * len(value)
        if name == "command":
            return _command(value)
        return [without_secrets((*path, index), inner) for index, inner in enumerate(value)]
    if isinstance(value, str):
        if name in _OPEN and value:
            return HIDDEN
        return shown_url(value) if name in _URLS or _STORE_URL.match(value) else _text(value)
    return value


def _text(text: str) -> str:
    return _SECRET_IN_QUERY.sub(rf"\1{HIDDEN}", _RUN.sub(_without_user, text))


def _without_user(run: re.Match[str]) -> str:
    scheme, mark, rest = run[0].partition("://")
    if mark and ("#" in rest or "?" in rest) and "@" in re.split(r"[/?#]", rest, maxsplit=1)[-1]:
        return f"{scheme}{mark}{HIDDEN}"  # a character that should have been escaped
    # Up to the last @, because a password may contain characters that should have been escaped.
    user, at, host = (rest if mark else run[0]).rpartition("@")
    if not mark:
        return f"{HIDDEN}@{host}" if ":" in user else run[0]
    return f"{scheme}{mark}{HIDDEN}@{host}" if at else run[0]


def _command(arguments: Sequence[Any]) -> list[Any]:
    shown: list[Any] = []
    hide = False
    for argument in arguments:
        text = str(argument)
        flag, equals, _ = text.partition("=")
        is_flag = _SECRET_FLAG.fullmatch(flag) is not None
        if hide:
            shown.append(HIDDEN)
        elif is_flag and equals:
            shown.append(f"{flag}={HIDDEN}")
        else:
            shown.append(_text(text))
        hide = is_flag and not equals and not hide
    return shown
