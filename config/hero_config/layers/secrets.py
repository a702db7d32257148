"""What of the configuration is nobody's business: hidden in messages and in what `config show` prints.

Pure. Invariant: whoever prints a value of the configuration takes it from `without_secrets`. A name decides, and in any
text the password of a URL; so a secret under a name that says nothing (`env = { X = "..." }`) is hidden only in errors,
where all of `env` is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hero_config.layers.lines import Path as KeyPath

HIDDEN = "***"

#: Up to the last @: a password may hold any character, also those that should have been escaped.
_USER_IN_URL = re.compile(r"(://)\S*@")
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?s?$|passw|secret|token|credential|private|api_?key|access_?key|auth_?key|bearer|sha256",
    re.IGNORECASE,
)
_SECRET_IN_QUERY = re.compile(r"([?&][^=&\s]*(?:password|secret|token)[^=&\s]*=)[^&\s]+", re.IGNORECASE)
_SECRET_FLAG = re.compile(r"-{1,2}[\w-]*(pass(word|wd)?|secret|token|api-?key)[\w-]*", re.IGNORECASE)

#: Keys of ours that a name like theirs would hide, and that hold nothing secret.
_OPEN = frozenset({"tokens"})


def is_secret_name(name: str) -> bool:
    """Does a key or an environment variable of this name hold a secret?"""
    return name not in _OPEN and _SECRET_NAME.search(name) is not None


def without_secrets(path: KeyPath, value: Any) -> Any:
    """A value with its secrets replaced by `***`.

    Args:
        path: Where it stands; the last name counts.
        value: Anything that TOML can hold.

    Returns:
        The same in form.
    """
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    # A list of tokens has names and scopes to show; whatever else stands there does not.
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
        return HIDDEN if name in _OPEN and value else _text(value)
    return value


def _text(text: str) -> str:
    return _SECRET_IN_QUERY.sub(rf"\1{HIDDEN}", _USER_IN_URL.sub(rf"\1{HIDDEN}@", text))


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
