"""Asks a supervisor by JSON-RPC: what only it can tell, or do."""

from __future__ import annotations

from typing import Any, NoReturn

from hero_ctl.connect.store import names_own, server_of, socket_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import ServiceOptions
from hero_ctl.output.console import fail

#: Error codes of the supervisor for a name that it does not know, and for an actor of another supervisor.
_UNKNOWN = frozenset({1402, 1403})


def ask_supervisor(service: ServiceOptions, method: str, params: Any, wait_s: float | None = None) -> Any:
    """Call a method of a supervisor, and return its result. End the command if there is none.

    Args:
        service: Which supervisor.
        method: Name of the method.
        params: Parameters by name.
        wait_s: Longest wait in seconds; None for no limit.
    """
    from hero_client.remote.errors import ServerUnusable
    from hero_supervisor.rpc.unix.client import NoAnswer, call

    if not names_own(service, "socket") and (server := server_of(service)) is not None:
        try:
            answer = server.call(method, params, wait_s)
        except ServerUnusable as e:
            fail(str(e), CtlExitCode.STORE)
        if "error" in answer:
            _fail_with(answer["error"])
        return answer["result"]
    path = socket_of(service.socket, service)
    try:
        if service.verbose:
            from hero_ctl.connect.steps import step

            with step(f"rpc {method} at {path}"):
                answer = call(path, method, params, wait_s)
        else:
            answer = call(path, method, params, wait_s)
    except NoAnswer as e:
        fail(f"{e}; name the socket with --socket or HERO_SOCKET", CtlExitCode.STORE)
    if "error" in answer:
        _fail_with(answer["error"])
    return answer["result"]


def _fail_with(error: dict[str, Any]) -> NoReturn:
    data = error.get("data") or {}
    lines = [error["message"], *data.get("problems", ()), *([data["hint"]] if "hint" in data else ())]
    code = CtlExitCode.UNKNOWN_JOB if error["code"] in _UNKNOWN else CtlExitCode.FAILED
    fail("\n".join(str(line) for line in lines), code)
