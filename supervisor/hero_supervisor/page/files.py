"""Serves the web page: one HTML file, its style, its modules and the vendored library, each with strict headers.

The application behind the TCP port mounts `page_routes`, and so does `heroctl ui`. Owned here: which file has which
address, and the headers that keep a browser from running anything else. Invariants: only files of this package are
served, by their exact names; nothing is read before somebody asks for it; no answer depends on who asks, because all
data comes over the WebSocket, with the rights of its token.

Source: Content Security Policy Level 3, https://www.w3.org/TR/CSP3/; Trusted Types, https://www.w3.org/TR/trusted-types/.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
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
    "Vary": "Accept-Encoding",
}
_ASK_EACH_TIME: Final = "no-cache"  # the tag makes the answer short
_KEEP: Final = "public, max-age=31536000, immutable"
_VERSION: Final = re.compile(r"([0-9a-f]{16})/")


@dataclass(frozen=True, kw_only=True)
class _File:
    content: bytes
    media_type: str
    tag: str

    @functools.cached_property
    def compressed(self) -> bytes:
        """The content in gzip, made when a browser first asks for it."""
        return gzip.compress(self.content, mtime=0)


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

    The HTML file names the others with their version, so a browser keeps them until there is another version. A page
    that is open when the service is updated gets what it asks for in the new version.

    Args:
        request: A GET or HEAD.
        name: Path below the folder of the files, behind a version or not.
    """
    version, files = _files()
    named = _VERSION.match(name)
    file = files.get(name[named.end() :] if named else name)
    if file is None:
        return PlainTextResponse("there is no such file\n", status_code=404)
    keeps = named is not None and named[1] == version
    headers = {**_HEADERS, "Cache-Control": _KEEP if keeps else _ASK_EACH_TIME, "ETag": f'"{file.tag}"'}
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = file.compressed
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{file.tag}-gzip"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=file.media_type, headers=headers)


@functools.cache
def _files() -> tuple[str, dict[str, _File]]:
    """Read all files, which are small, when the first one is asked for; and find out their version."""
    contents = {
        path.relative_to(_FOLDER).as_posix(): path.read_bytes()
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }
    version = hashlib.sha256(b"".join(contents.values())).hexdigest()[:16]
    contents["index.html"] = contents["index.html"].replace(b'="page/', f'="page/{version}/'.encode())
    return version, {
        name: _File(
            content=content,
            media_type=_TYPES[Path(name).suffix],
            tag=hashlib.sha256(content).hexdigest()[:32],
        )
        for name, content in contents.items()
    }
