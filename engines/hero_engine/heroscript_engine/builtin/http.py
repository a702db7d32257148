"""The actions `http.*`. They are off until `HERO_ALLOW_HTTP` names a host; every redirect is checked against that list
too. `hero_engine.host.network.web` does the work, as for the functions `http_*`.
"""

from __future__ import annotations

from dataclasses import replace

from hero_engine.engine import Asker
from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import not_allowed, split_port
from hero_engine.host.call import Call
from hero_engine.host.network.reach import AddressRefused, NetworkReach
from hero_engine.host.network.web import WebAnswer, WebFailed, WebRequest, send
from hero_engine.rights import ScriptRights

#: A longer response is an error.
MAX_BODY_BYTES = 8 * 1024 * 1024
_TAIL_CHARS = 500


class HttpFailed(Exception):
    """A request got no response, or one that reports an error."""


@action("http.get", "http.head")
def get(
    ctx: Context,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    redirects: bool = True,
    raise_error: bool = True,
) -> dict[str, object]:
    """Get what is at an address. The result has `status`, `headers` and `body`."""
    method = ctx.action.name.upper()
    request = WebRequest(method=method, url=url, headers=headers or {}, follow=redirects, timeout_s=timeout)
    return _send(ctx, request, raise_error)


@action("http.delete", "http.patch", "http.post", "http.put")
def post(
    ctx: Context,
    url: str,
    *,
    body: str = "",
    content_type: str = "text/plain; charset=utf-8",
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    redirects: bool = True,
    raise_error: bool = True,
) -> dict[str, object]:
    """Send a text to an address. The name of the action is the method."""
    all_headers = dict(headers or {})
    if body and "content-type" not in map(str.lower, all_headers):
        all_headers["Content-Type"] = content_type
    method = ctx.action.name.upper()
    payload = None if method == "DELETE" and not body else body.encode()
    request = WebRequest(method=method, url=url, headers=all_headers, body=payload, follow=redirects, timeout_s=timeout)
    return _send(ctx, request, raise_error)


def _send(ctx: Context, request: WebRequest, raise_error: bool) -> dict[str, object]:
    request = replace(
        request,
        timeout_s=min(request.timeout_s, ctx.remaining_s),
        max_bytes=MAX_BODY_BYTES,
        ca_file=ctx.settings.http_ca_file or ctx.settings.rights.ca_file,
    )
    asker = Asker(
        job_id=ctx.job_id,
        caller_id=ctx.caller_id,
        context_id=ctx.context_id,
        deadline_mono=ctx.deadline_mono,
        traceparent=ctx.traceparent,
    )
    # The process of the run is killed when the run must end.
    call = Call(asker, ScriptRights(), stopped=lambda: False)
    try:
        answer = send(call, _reach(ctx.settings.http), request)
    except AddressRefused as e:
        raise not_allowed(e.place, "HERO_ALLOW_HTTP", ctx.settings.http) from None
    except WebFailed as e:
        raise HttpFailed(str(e)) from e
    return _result(request, answer, raise_error)


def _reach(items: tuple[str, ...]) -> NetworkReach:
    """Read the setting, in which a host without a port means the usual ports."""
    ports = ("80", "443")
    return NetworkReach.of(
        tuple(
            whole
            for item in items
            for whole in ([f"{item}:{port}" for port in ports] if split_port(item)[1] is None else [item])
        )
    )


def _result(request: WebRequest, answer: WebAnswer, raise_error: bool) -> dict[str, object]:
    if raise_error and answer.status >= 400:
        raise HttpFailed(f"{request}: {answer.status} {answer.reason}: {answer.text[:_TAIL_CHARS]}")
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.text}
