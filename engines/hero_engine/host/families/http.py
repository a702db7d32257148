"""The family `http`: requests to servers, and files from and to them. `host.network.web` does the work."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from hero_engine.errors import FunctionError, FunctionRefused
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.network.reach import AddressRefused, NetworkReach
from hero_engine.host.network.web import WebAnswer, WebFailed, WebRequest, send
from hero_engine.host.trees import Trees
from hero_engine.host.workspace import Spot, workspace

FAMILY = Family("http", "Requests to web servers.", prefix="Http error: ", needs="net")

_OPTIONS = frozenset({"method", "url", "headers", "query", "body", "json", "timeout", "follow"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What a server has answered.

    Attributes:
        status: The status code.
        headers: Headers, with names in lower case.
        body: The body as text.
    """

    status: int
    headers: dict[str, str]
    body: str


@FAMILY.function(blocks=True, action="http.get")
def http_get(call: Call, url: str) -> HttpResponse:
    """Get what is at an address: `status`, `headers` and `body`. A status such as 404 is no error.

    Example:
        let response = http_get("https://example.org/data.json");
        if response.status == 200 { print(response.json()) }
    """
    return _response(_send(call, _request(call, {"url": url})))


@FAMILY.function(blocks=True)
def http_request(call: Call, options: dict[str, Any]) -> HttpResponse:
    """Send a request. Its parts are `url`, `method`, `headers`, `query` (a map), `body` (a text or blob) or `json` (any
    value), `timeout` (in seconds, 30 if it is missing) and `follow` (redirects, true if it is missing).

    Example:
        let response = http_request(#{
            method: "POST", url: "https://example.org/items", query: #{dry: 1}, json: #{name: "x"}, timeout: 5
        });
    """
    return _response(_send(call, _request(call, options)))


@FAMILY.function("json")
def response_json(response: dict[str, Any]) -> object:
    """Read the body of a response as JSON.

    Example:
        let items = http_get("https://example.org/items").json();
    """
    try:
        return json.loads(response.get("body", ""))
    except (TypeError, ValueError) as e:
        raise FunctionError(f"the body is no JSON: {e}") from None


@FAMILY.function(blocks=True)
def http_download(call: Call, url: str, path: str) -> HttpResponse:
    """Write what is at an address to a file, which appears when it is complete. The response has no body. A status that
    is no success is an error.

    Example:
        http_download("https://example.org/data.csv", "in/data.csv");
    """
    answer = _download(call, url, path)
    if answer.status >= 300:
        raise FunctionError(f"GET {url:.200}: {answer.status} {answer.reason}")
    return _response(answer)


@FAMILY.function(blocks=True)
def http_upload(call: Call, url: str, path: str, options: dict[str, Any] = {}) -> HttpResponse:  # noqa: B006  unchanged
    """Send a file as the body of a request, by PUT unless the options say otherwise; they are those of `http_request`.

    Example:
        http_upload("https://example.org/reports/today", "report.txt", #{headers: #{"content-type": "text/plain"}});
    """
    files = workspace(call)
    with _failing("Failed to read file"):
        fd = files.open(files.find(path), os.O_RDONLY)
        with open(fd, "rb") as file:  # noqa: PTH123  a descriptor
            size = os.fstat(fd).st_size
            if size > call.rights.max_file_bytes:
                raise FunctionError(f"Failed to read file: it has more than {call.rights.max_file_bytes} bytes")
            request = _request(call, {"method": "PUT", **options, "url": url}, file=file, file_bytes=size)
            return _response(_send(call, request))


@FAMILY.function(blocks=True)
def download_file(call: Call, url: str, path: str, min_kb: int) -> str:
    """Write what is at an address to a file, and return its path. Less than so many kilobytes are an error.

    Example:
        let path = download_file("https://example.org/tool", "bin/tool", 100);
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FunctionRefused(f"Invalid URL: {url:.200}")
    try:
        answer = _download(call, url, path, min_kb)
    except FunctionRefused:
        raise
    except FunctionError as e:
        raise FunctionRefused(f"Error downloading url: {url:.200}: {e.text}") from None
    if answer.status >= 300:
        raise FunctionRefused(f"Error downloading url: {url:.200}: {answer.status} {answer.reason}")
    return path


# -- shared ------------------------------------------------------------------------------------------------------------


def _request(call: Call, options: dict[str, Any], **more: Any) -> WebRequest:
    """Check the options of a script and make a request of them."""
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise FunctionError(f"unknown option {min(unknown)!r:.100}; there are {', '.join(sorted(_OPTIONS))}")
    headers = {str(name): str(text) for name, text in _map(options, "headers").items()}
    query = urlencode({name: value for name, value in _map(options, "query").items() if value is not None}, doseq=True)
    url, body = str(options.get("url", "")), options.get("body")
    if query:
        url += ("&" if "?" in url else "?") + query
    if "json" in options:
        body = json.dumps(options["json"], ensure_ascii=False)
        if "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = "application/json"
    if not isinstance(body, str | bytes | None):
        raise FunctionError("body should be a string or a blob; for other values there is json")
    method = str(options.get("method", "GET")).upper()
    if method not in _METHODS:
        raise FunctionError(f"unknown method {method!r:.50}")
    timeout_s = options.get("timeout", _TIMEOUT_S)
    if not isinstance(timeout_s, int | float) or not timeout_s > 0:
        raise FunctionError("timeout should be a number of seconds above 0")
    return WebRequest(
        method=method,
        url=url,
        headers=headers,
        body=body.encode() if isinstance(body, str) else body,
        follow=options.get("follow", True) is not False,
        timeout_s=timeout_s,
        max_bytes=call.rights.max_file_bytes,
        ca_file=call.rights.ca_file,
        **more,
    )


def _map(options: dict[str, Any], name: str) -> dict[str, Any]:
    value = options.get(name, {})
    if not isinstance(value, dict):
        raise FunctionError(f"{name} should be a map")
    return value


def _send(call: Call, request: WebRequest, **sink: Any) -> WebAnswer:
    try:
        return send(call, NetworkReach.of(call.rights.net), request, **sink)
    except AddressRefused as e:
        raise FunctionRefused(
            f"http: connecting to {e.place} is not allowed here; "
            f'the operator enables it with net = ["{e.place}"] in [actors.allow]'
        ) from None
    except WebFailed as e:
        raise FunctionError(str(e)) from None


def _response(answer: WebAnswer) -> HttpResponse:
    return HttpResponse(status=answer.status, headers=dict(answer.headers), body=answer.text)


def _download(call: Call, url: str, path: str, min_kb: int = 0) -> WebAnswer:
    files = workspace(call)
    spot = files.find(path, write=True)
    part = Spot(spot.given, spot.place, f"{spot.below}.{os.urandom(4).hex()}.part")
    trees = Trees(call, files)
    with _failing("Failed to write to file"):
        files.write(part, b"")  # makes the folders above it
        try:
            fd = files.open(part, os.O_WRONLY)
            with open(fd, "wb") as file:  # noqa: PTH123  a descriptor
                answer = _send(call, _request(call, {"url": url}), sink=file.write)
                size = file.tell()
            if size < min_kb * 1024 and answer.status < 300:
                kb = f"{size / 1024:.0f}KB < {min_kb}KB"
                raise FunctionRefused(f"Error: Downloaded file is too small ({kb})")
            if answer.status < 300:
                trees.move(part, spot)
        finally:
            trees.remove(part)
    return answer


@contextlib.contextmanager
def _failing(sentence: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise FunctionError(f"{sentence}: {e.strerror}") from None
