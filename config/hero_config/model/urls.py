"""What is wrong with the URL of a server that may hold a password, and how to show it without one. Pure.

A password with a character that should have been percent-encoded makes a URL mean something else: after `#` everything
is ignored, so the connection goes to another place, and messages show what they take for a host. Invariants: a URL that
can be misread is refused; of such a URL nothing but its scheme is shown. `hero_job/client/url.py` does the same for
programs without a configuration; a test compares the two.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"[?&]([^=&?\s]*+)=")
_SECRET_NAME: Final = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_PLACE: Final = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]:\s]*)(?::(\d{1,5}))?")
_ENCODE: Final = "has a character that must be percent-encoded in a password: # is %23, / %2F, ? %3F, @ %40, % %25"


def problem_of_url(url: str) -> str | None:
    """Say why a URL can be misread.

    Args:
        url: With `://`.

    Returns:
        What is wrong, without any part of the URL; None if nothing is.
    """
    scheme, _, rest = url.partition("://")
    is_unix = scheme == "unix"
    if any(c.isspace() or not c.isprintable() for c in rest):
        return "has white space or a control character, which must be percent-encoded: a blank is %20"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    identity, _, places = authority.rpartition("@")
    behind = rest[len(authority) :]
    is_path = is_unix and not authority
    if "#" in rest or ("@" in behind and not is_path) or re.search(r"[\[\]]|%(?![0-9A-Fa-f]{2})", identity):
        return _ENCODE
    if is_unix:
        return None
    for place in places.split(","):
        match = _PLACE.fullmatch(place)
        if match is None or int(match[1] or 0) > 65_535:
            return "must have HOST or HOST:PORT, with a port from 0 to 65535, behind the password and its @"
    database = re.split(r"\?", behind, maxsplit=1)[0].strip("/")
    if scheme in {"redis", "rediss"} and not database.isdecimal() and database:
        return "database must be a number"
    return None


def shown_url(url: str) -> str:
    """Write a URL without its passwords; of one that can be misread, only the scheme.

    Args:
        url: Any text that stands where a URL should.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        return HIDDEN if "@" in url or "=" in url else url
    if problem_of_url(url) is not None:
        return f"{scheme}://{HIDDEN}"
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    identity, at, places = authority.rpartition("@")
    login = f"{HIDDEN}@" if identity else at
    shown = f"{scheme}://{login}{places}{rest[len(authority) :]}"
    for parameter in _PARAMETER.finditer(shown):
        if _SECRET_NAME.search(parameter[1]) and shown[parameter.end() :]:
            # To the end: the secret may have an & that should have been %26.
            return shown[: parameter.end()] + HIDDEN
    return shown
