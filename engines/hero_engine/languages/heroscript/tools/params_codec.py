"""Converts parameters to JSON and RESP and back, to store or send them. Pure.

Source: HeroScript specification, section 5; RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from __future__ import annotations

import json
from typing import Any

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.text.errors import HeroScriptError, ParamError

_CRLF = b"\r\n"
# There are three arrays (parameters, arguments, comments), and three texts per parameter (key, value, comment).
_SECTIONS = 3


def params_to_json(params: Params) -> str:
    """Write parameters as JSON: `{"params":[{"key","value","comment"}],"args":[],"comments":[]}`."""
    return json.dumps(
        {
            "params": [{"key": item.key, "value": item.value, "comment": item.comment} for item in params.params],
            "args": list(params.args),
            "comments": params.comments,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def params_from_json(text: str) -> Params:
    """Read the JSON of `params_to_json`. Missing parts are empty.

    Raises:
        HeroScriptError: It is not JSON of that shape, or has a key or argument that a script cannot hold.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        # RecursionError: brackets are nested thousands of levels deep.
        raise HeroScriptError(f"params are not JSON: {error}", code="json") from error
    if not isinstance(data, dict):
        raise HeroScriptError("params are not a JSON object", code="json")
    rows = [[_text(row, key) for key in ("key", "value", "comment")] for row in _rows(data, "params", dict)]
    return _build(rows, _rows(data, "args", str), _rows(data, "comments", str))


def params_to_resp(params: Params) -> bytes:
    """Write parameters as an array of three arrays of bulk strings: key, value and comment of each; arguments;
    comments.
    """
    rows = [text for item in params.params for text in (item.key, item.value, item.comment)]
    return b"*3\r\n" + b"".join(_resp_array(texts) for texts in (rows, list(params.args), params.comments))


def params_from_resp(data: bytes) -> Params:
    """Read the RESP of `params_to_resp`.

    Raises:
        HeroScriptError: It is not RESP of that shape, or has a key or argument that a script cannot hold.
    """
    try:
        reader = _RespReader(data)
        if reader.count(b"*") != _SECTIONS:
            raise ValueError("an array of three arrays is expected")
        rows, args, comments = (reader.texts() for _ in range(_SECTIONS))
        if len(rows) % _SECTIONS or reader.at != len(data):
            raise ValueError("there are too few or too many items")
    except ValueError as error:
        raise HeroScriptError(f"params are not RESP: {error}", code="resp") from error
    return _build([rows[at : at + _SECTIONS] for at in range(0, len(rows), _SECTIONS)], args, comments)


class _RespReader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def count(self, kind: bytes) -> int:
        end = self.data.find(_CRLF, self.at, self.at + 20)
        digits = self.data[self.at + 1 : end]
        if end < 0 or self.data[self.at : self.at + 1] != kind or not digits.isdigit():
            raise ValueError(f"malformed at byte {self.at}")
        self.at = end + 2
        return int(digits)

    def texts(self) -> list[str]:
        # Every item takes up bytes, so a wrong count leads no further than the end of the data.
        return [self._text() for _ in range(self.count(b"*"))]

    def _text(self) -> str:
        size = self.count(b"$")
        end = self.at + size
        if self.data[end : end + 2] != _CRLF:
            raise ValueError(f"malformed at byte {self.at}")
        text = self.data[self.at : end].decode("utf-8", "surrogatepass")
        self.at = end + 2
        return text


def _resp_array(texts: list[str]) -> bytes:
    parts = [b"*%d\r\n" % len(texts)]
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def _build(rows: list[list[str]], args: list[str], comments: list[str]) -> Params:
    params = Params()
    for key, value, comment in rows:
        params.set(key, value, comment)
    for arg in args:
        params.set_arg(arg)
    params.comments = list(comments)
    return params


def _rows(data: dict[str, Any], name: str, kind: type) -> list[Any]:
    rows = data.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, kind) for row in rows):
        raise ParamError(f"params JSON: {name} is not a list of {kind.__name__}", code="json")
    return rows


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key, "")
    if not isinstance(value, str):
        raise ParamError(f"params JSON: {key} is not a text", code="json")
    return value
