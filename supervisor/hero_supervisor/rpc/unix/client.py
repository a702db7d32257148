"""``hero-unix-client``: one JSON-RPC call over a Unix socket, from the command line.

``hero-unix-client --socket ./baobab.ipc --method create_job --params '{...}'`` prints the result on standard output and
exits with 0. An error of the method goes to standard error, with exit code 1. Wrong usage, no connection, or no answer
in time end with exit code 2. ``heroctl`` uses ``call`` too. The module imports little, because each call is a new
process.

Source: the flags of the Rust system's client.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import orjson

from hero_supervisor.rpc.protocol.framer import Framer

FAILED: Final = 1
UNUSABLE: Final = 2
_CHUNK_BYTES: Final = 256 * 1024
# The server limits the length of answers; the client does not.
_NO_LIMIT_BYTES: Final = 1 << 62


class NoAnswer(Exception):
    """The server could not be reached, or gave no answer that can be read; the message says which and what to do."""


def call(path: str, method: str, params: list[Any] | dict[str, Any], timeout_s: float | None) -> dict[str, Any]:
    """Make one call.

    Args:
        path: Path of the socket.
        method: Name of the method.
        params: Parameters, by position or by name.
        timeout_s: Longest wait for the connection and the answer together; None for no limit.

    Returns:
        The answer, with "result" or "error".

    Raises:
        NoAnswer: No connection, no answer in time, or none that can be read.
    """
    deadline_mono = None if timeout_s is None else time.monotonic() + timeout_s
    request = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + b"\n"
    framer = Framer(_NO_LIMIT_BYTES)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            _connect(connection, path, deadline_mono)
            connection.sendall(request)
            while True:
                if deadline_mono is not None:
                    connection.settimeout(max(deadline_mono - time.monotonic(), 0.001))
                data = connection.recv(_CHUNK_BYTES)
                if not data:
                    raise NoAnswer(f"the server at {path} closed the connection without an answer; see its log")
                for frame in framer.feed(data):
                    return _answer(frame, path)
    except TimeoutError as e:
        raise NoAnswer(f"no answer from {path} within {timeout_s:g} s; the server may still carry out the call") from e
    except FileNotFoundError as e:
        raise NoAnswer(f"no socket at {path}: is the server running, and with this path?") from e
    except ConnectionRefusedError as e:
        raise NoAnswer(f"nobody listens at {path}: its server has died; start it again") from e
    except PermissionError as e:
        raise NoAnswer(f"no permission to connect to {path}: run this as the user or group of the socket") from e
    except OSError as e:
        raise NoAnswer(f"cannot talk to {path}: {e.strerror or e}") from e


def _connect(connection: socket.socket, path: str, deadline_mono: float | None) -> None:
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            # The server's backlog is full. On a socket with a timeout, the kernel does not wait for room; we must.
            if deadline_mono is not None and time.monotonic() > deadline_mono:
                raise TimeoutError from None
            time.sleep(0.01)
        else:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        answer = call(options.socket, options.method, _params(options.params), options.timeout)
    except NoAnswer as e:
        print(f"hero-unix-client: {e}", file=sys.stderr)  # noqa: T201 - the output of a command
        return UNUSABLE
    if "error" in answer:
        print(_error_text(answer["error"], raw=options.raw), file=sys.stderr)  # noqa: T201
        return FAILED
    result = answer.get("result")
    if options.raw and isinstance(result, str):
        print(result)  # noqa: T201
    else:
        print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hero-unix-client",
        description="Call a method of a Hero supervisor over its Unix socket.",
        epilog="exit codes: 0 result, 1 the method answered with an error, 2 wrong usage or no answer",
    )
    parser.add_argument("--socket", required=True, metavar="PATH", help="socket of the server")
    parser.add_argument("--method", required=True, help="for example create_job, get_job_output, rpc.discover")
    parser.add_argument(
        "--params", default="[]", metavar="JSON", help="an array or an object; '-' reads it from standard input"
    )
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="give up after this time (default: never)")
    parser.add_argument("--raw", action="store_true", help="print strings without JSON quoting, and errors as text")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above zero")
    return value


def _params(text: str) -> list[Any] | dict[str, Any]:
    try:
        value = orjson.loads(sys.stdin.buffer.read() if text == "-" else text)
    except orjson.JSONDecodeError as e:
        _usage(f"--params is not JSON: {e}")
    if not isinstance(value, list | dict):
        _usage("--params must be a JSON array or object")
    return value


def _usage(problem: str) -> NoReturn:
    _parser().error(problem)  # prints the usage and exits with 2


def _answer(frame: object, path: str) -> dict[str, Any]:
    if isinstance(frame, bytes):
        try:
            answer = orjson.loads(frame)
        except orjson.JSONDecodeError:
            answer = None
        if isinstance(answer, dict) and ("result" in answer or "error" in answer):
            return answer
    raise NoAnswer(f"{path} sent something that is not a JSON-RPC answer: is it the socket of another program?")


def _error_text(error: Any, *, raw: bool) -> str:
    if not raw or not isinstance(error, dict):
        return orjson.dumps(error, option=orjson.OPT_INDENT_2).decode()
    data = error.get("data")
    hint = data.get("hint") if isinstance(data, dict) else None
    text = f"error {error.get('code')}: {error.get('message')}"
    return f"{text}\n{hint}" if hint else text


if __name__ == "__main__":
    sys.exit(main())
