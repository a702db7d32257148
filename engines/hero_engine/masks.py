"""Hides secrets in texts: each form in which a value usually appears is replaced by `***`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

MASK = "***"
#: A shorter value is not hidden: it would hide harmless texts, and show by that what it is.
MIN_CHARS = 4


class Masks:
    """The values to hide in one run."""

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, value: str) -> None:
        """Hide a value from now on: as it is, each of its lines, and in JSON, base64, hex and URLs.

        Args:
            value: With less than `MIN_CHARS` characters it is not hidden; the same holds for each line.
        """
        import base64
        import json
        from urllib.parse import quote

        raw = value.encode()
        forms: Iterable[str] = (
            value,
            *value.splitlines(),
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
            raw.hex(),
            raw.hex().upper(),
            quote(value, safe=""),
        )
        if len(value) >= MIN_CHARS:
            long = {form for form in forms if len(form) >= MIN_CHARS}
            # The longest first: a line of a value must not be replaced before the value.
            self._forms = sorted(long.union(self._forms), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Replace the values in a text."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def __bool__(self) -> bool:
        return bool(self._forms)
