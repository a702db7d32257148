"""The family `encode`: JSON, base64, hex and URLs, and back. The family `formats` has YAML, TOML and CSV."""

from __future__ import annotations

from typing import Any

from hero_engine.errors import FunctionError
from hero_engine.host.definition import Family
from hero_engine.host.families.pure.bounds import (
    MAX_VALUES,
    bounded,
    cell,
    check_size,
    check_value,
    read_float,
    read_int,
    too_deep,
)

FAMILY = Family("encode", "JSON, base64, hex and URLs.", prefix="Encode error: ")


@FAMILY.function()
def json_encode(value: object, pretty: bool = False) -> str:
    """Write a value as JSON. Keys are sorted, so equal values give equal texts; `pretty` adds lines and indentation.

    Example:
        json_encode(#{b: 1, a: [true, ()]})       // {"a":[true,null],"b":1}
    """
    import json

    check_value(value)
    layout: dict[str, Any] = {"indent": 2} if pretty else {"separators": (",", ":")}
    return bounded(json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, **layout))


@FAMILY.function()
def json_decode(text: str) -> object:
    """Read JSON: objects are maps, `null` is `()`.

    Example:
        json_decode(`{"a": [1, 2.5]}`).a[0]       // 1
    """
    import json

    check_size(text)
    if sum(map(text.count, "[{,")) > MAX_VALUES:
        raise FunctionError(f"the text may have more than {MAX_VALUES} values")
    try:
        value = json.loads(text, parse_int=read_int, parse_float=read_float, parse_constant=_no_constant)
    except json.JSONDecodeError as e:
        raise FunctionError(f"no JSON: {e.msg} at line {e.lineno}, column {e.colno}") from None
    except RecursionError:
        raise too_deep() from None
    check_value(value)
    return value


@FAMILY.function()
def base64_encode(data: str | bytes, url: bool = False) -> str:
    """Write a text, as UTF-8, or a blob as base64; with `url` in the alphabet for URLs, without `=`.

    Example:
        base64_encode("hello")                                   // "aGVsbG8="
    """
    import base64

    raw = _raw(data)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") if url else base64.b64encode(raw).decode()


@FAMILY.function()
def base64_decode(text: str) -> str:
    """Read a text from base64, in either alphabet, with or without `=`.

    Example:
        base64_decode("aGVsbG8=")                                // "hello"
    """
    return _utf8(base64_decode_bytes(text))


@FAMILY.function()
def base64_decode_bytes(text: str) -> bytes:
    """Read a blob from base64, in either alphabet, with or without `=`.

    Example:
        base64_decode_bytes("AAEC").len()                        // 3
    """
    import base64
    import binascii

    check_size(text)
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionError("no base64") from None


@FAMILY.function()
def hex_encode(data: str | bytes) -> str:
    """Write a text, as UTF-8, or a blob in hexadecimal digits.

    Example:
        hex_encode("hi")                                         // "6869"
    """
    return _raw(data).hex()


@FAMILY.function()
def hex_decode(text: str) -> str:
    """Read a text from hexadecimal digits.

    Example:
        hex_decode("6869")                                       // "hi"
    """
    return _utf8(hex_decode_bytes(text))


@FAMILY.function()
def hex_decode_bytes(text: str) -> bytes:
    """Read a blob from hexadecimal digits.

    Example:
        hex_decode_bytes("00ff").len()                           // 2
    """
    check_size(text)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise FunctionError("no hexadecimal digits, or an odd number of them") from None


@FAMILY.function()
def url_encode(text: str) -> str:
    """Escape a text for any part of a URL.

    Example:
        url_encode("a b/ü")                                      // "a%20b%2F%C3%BC"
    """
    from urllib.parse import quote

    check_size(text)
    return quote(text, safe="")


@FAMILY.function()
def url_decode(text: str) -> str:
    """Undo `url_encode`.

    Example:
        url_decode("a%20b")                                      // "a b"
    """
    from urllib.parse import unquote_to_bytes

    check_size(text)
    return _utf8(unquote_to_bytes(text))


@FAMILY.function()
def url_query(fields: dict[str, object]) -> str:
    """Write a map as the query of a URL; an array gives its name several times.

    Example:
        url_query(#{q: "a b", tag: ["x", "y"]})                  // "q=a%20b&tag=x&tag=y"
    """
    from urllib.parse import quote, urlencode

    check_value(fields)
    pairs = {
        name: [cell(item) for item in value] if isinstance(value, list) else cell(value)
        for name, value in fields.items()
    }
    return bounded(urlencode(sorted(pairs.items()), doseq=True, quote_via=quote))


@FAMILY.function()
def url_parse(url: str) -> dict[str, object]:
    """Take a URL apart: `scheme`, `host`, `port` or `()`, `path`, `query` as a map of arrays, `fragment`, `user`.

    Example:
        url_parse("https://example.org:8443/a?x=1").port         // 8443
    """
    from urllib.parse import parse_qs, urlsplit

    check_size(url)
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=10_000)
        port = parts.port
    except ValueError as e:
        raise FunctionError(f"no URL: {e!s:.200}") from None
    return {
        "scheme": parts.scheme,
        "user": parts.username or "",
        "host": parts.hostname or "",
        "port": port,
        "path": parts.path,
        "query": query,
        "fragment": parts.fragment,
    }


def _no_constant(name: str) -> object:
    raise FunctionError(f"no JSON: {name}")


def _raw(data: str | bytes) -> bytes:
    check_size(data)
    return data.encode() if isinstance(data, str) else bytes(data)


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FunctionError("the bytes are no UTF-8") from None
