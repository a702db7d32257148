"""Serves the web page: one HTML file, its style, its modules and the vendored library, each with strict headers.

The application behind the TCP port mounts `page_routes`, and so does `heroctl ui`. Owned here: which file has which
address, and the headers that keep a browser from running anything else. Invariants: only files of this package are
served, by their exact names; nothing is read before somebody asks for it; no answer depends on who asks, because all
data comes over the WebSocket, with the rights of its token.

Source: Content Security Policy Level 3, https://www.w3.org/TR/CSP3/; Trusted Types, https://www.w3.org/TR/trusted-types/.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_FOLDER: Final = Path(__file__).parent / "files"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: `connect-src 'self'` includes WebSockets of the same origin. lit-html makes its templates under its own policy.
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types lit-html"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # ask each time; the tag makes the answer short
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    content: bytes
    media_type: str
    tag: str


def page_routes(refusal: Callable[[Request], str | None]) -> list[Route]:
    """Make the routes of the page's files, all but the HTML file itself.

    Args:
        refusal: Says why a request is refused, such as for its Host header; None if it is not.
    """

    async def serve(request: Request) -> Response:
        if (text := refusal(request)) is not None:
            return PlainTextResponse(text + "\n", status_code=403)
        return page_file(request, request.path_params["name"])

    return [Route("/page/{name:path}", serve, methods=["GET"])]


def wants_page(request: Request) -> bool:
    """Whether a GET comes from a browser that wants to show the answer."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def page_file(request: Request, name: str = "index.html") -> Response:
    """Answer with a file of the page.

    Args:
        request: A GET or HEAD.
        name: Path below the folder of the files.
    """
    file = _files().get(name)
    if file is None:
        return PlainTextResponse("there is no such file\n", status_code=404)
    headers = {**_HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@functools.cache
def _files() -> dict[str, _File]:
    """Read all files, which are small, when the first one is asked for."""
    found = {}
    for path in sorted(_FOLDER.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is not None:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(_FOLDER).as_posix()] = _File(content=content, media_type=media_type, tag=tag)
    return found
