"""Makes characters visible that would steer a terminal: those of ids, errors and fields that other people have chosen.

Pure. Called for messages and JSON; tables leave such characters away. What a script prints or returns is not changed,
because it may want colours. Invariant: JSON stays the same JSON.
"""

from __future__ import annotations

import re
from typing import Final

#: Control characters but tabs and line feeds, with the C1 ones that some terminals obey, and those that turn the
#: direction of text. Source: Unicode Standard Annex 9, "Explicit Directional Embedding and Override" and "Isolates".
_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Write the characters of a text that would steer a terminal as Python does: `\x1b`, `\u202e`."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def json_text(value: object, *, indent: int | None = None) -> str:
    """Write a value as JSON that keeps other than ASCII characters as they are, but for those that steer a terminal.

    Args:
        value: What `json.dumps` takes.
        indent: Spaces before inner lines; None for one line.
    """
    import json  # no message needs it

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:
        return text
    # Outside its strings JSON has only ASCII; in them, `json.dumps` has escaped all below the space.
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
