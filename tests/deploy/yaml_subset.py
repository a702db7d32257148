"""Reads the YAML of the deployable files: block maps and lists, plain and quoted scalars, literals, flow lists.

No anchors, tags, folded texts or tabs; what is not understood raises. Where PyYAML can be had, a test compares the two.
"""

from __future__ import annotations

import json
import re
from typing import Any

_KEY = re.compile(r"""^([A-Za-z_][\w./-]*|'[^']*'|"[^"]*"):(?:\s+(.*))?$""")


def load_all(text: str) -> list[Any]:
    """The documents of a file."""
    documents = re.split(r"^---\s*$", text, flags=re.MULTILINE)
    return [_Reader(document).document() for document in documents if _Reader(document).lines]


def load(text: str) -> Any:
    """The one document of a file."""
    (document,) = load_all(text)
    return document


class _Reader:
    def __init__(self, text: str) -> None:
        self.raw = text.splitlines()
        self.lines = [
            number for number, line in enumerate(self.raw) if line.strip() and not line.lstrip().startswith("#")
        ]

    def document(self) -> Any:
        value = self._block(0)
        assert not self.lines, f"not understood: {self.raw[self.lines[0]]!r}"
        return value

    def _peek(self) -> tuple[int, str]:
        if not self.lines:
            return -1, ""
        line = self.raw[self.lines[0]]
        assert "\t" not in line, line
        text = re.sub(r"\s+#[^'\"]*$", "", line.rstrip())
        return len(text) - len(text.lstrip()), text.lstrip()

    def _block(self, indent: int) -> Any:
        return self._list(indent) if self._peek()[1].startswith("- ") else self._map(indent)

    def _list(self, indent: int) -> list[Any]:
        items = []
        while (found := self._peek()) and found[0] == indent and found[1].startswith("- "):
            rest = found[1][2:]
            if _KEY.match(rest):
                # The rest of the line is the first line of a map that stands two to the right.
                self.raw[self.lines[0]] = " " * (indent + 2) + rest
                items.append(self._map(indent + 2))
            else:
                self.lines.pop(0)
                items.append(_scalar(rest))
        return items

    def _map(self, indent: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while (found := self._peek()) and found[0] == indent and (match := _KEY.match(found[1])):
            number = self.lines.pop(0)
            key, rest = match[1].strip("'\""), match[2] or ""
            assert key not in pairs, f"twice: {key}"
            if rest == "|":
                pairs[key] = self._literal(number)
            elif rest:
                pairs[key] = _scalar(rest)
            else:
                below, text = self._peek()
                pairs[key] = (
                    self._block(below) if below > indent or (below == indent and text.startswith("- ")) else None
                )
        return pairs

    def _literal(self, number: int) -> str:
        outer = len(self.raw[number]) - len(self.raw[number].lstrip())
        taken = []
        for line in self.raw[number + 1 :]:
            if line.strip() and len(line) - len(line.lstrip()) <= outer:
                break
            taken.append(line)
        last = number + len(taken)
        self.lines = [line for line in self.lines if line > last]
        inner = min(len(line) - len(line.lstrip()) for line in taken if line.strip())
        return "\n".join(line[inner:] for line in taken).rstrip("\n") + "\n"


def _scalar(text: str) -> Any:
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("'"):
        assert re.fullmatch(r"'([^']|'')*'", text), text
        return text[1:-1].replace("''", "'")
    if text.startswith("["):
        return [
            _scalar(part.strip())
            for part in re.findall(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,\[\]]+""", text)
            if part.strip()
        ]
    if text == "{}":
        return {}
    assert text[0] not in "&*!>|%@`{", f"not understood: {text!r}"
    if text in ("true", "false"):
        return text == "true"
    return None if text == "null" else int(text) if re.fullmatch(r"-?\d+", text) else text
