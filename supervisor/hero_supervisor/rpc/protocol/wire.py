"""JSON-RPC 2.0 messages: bytes to requests, results and errors to bytes. Pure; the dispatcher is the only caller.

What the specification leaves open is decided here once:

- A request with ``"id": null`` is a request and is answered; only a request without ``id`` is a notification.
- ``"params": null`` means no parameters (Go and Rust clients write it); any other unstructured value is refused.
- An id is echoed with its type. A number that JSON libraries cannot carry exactly (an integer beyond 64 bits) is
  refused rather than echoed changed.
- Of duplicate keys the last one counts. Members that the specification does not name are ignored.
- A malformed request whose id is readable is answered with that id, otherwise with null.

Source: https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

import orjson

Id: TypeAlias = str | int | float | None

# Beyond this a double no longer holds every integer, so a float that JSON text turned into may be another number.
_MAX_EXACT_FLOAT: Final = 2.0**53
_ID_TYPES: Final = frozenset({str, int, float, type(None)})


class ErrorCode(IntEnum):
    """Every code that a client can meet. Ours are positive, outside of what JSON-RPC reserves, and never reused."""

    PARSE_ERROR = -32700  #: not JSON
    INVALID_REQUEST = -32600  #: JSON, but not a request
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602  #: parameters, or a field of a job among them, are missing, unknown or wrong
    INTERNAL_ERROR = -32603  #: a fault of ours; the log has it

    JOB_NOT_FOUND = 1001  #: no job with this id, or it has expired
    JOB_CONFLICT = 1002  #: the id belongs to a job with another content
    JOB_STATE = 1003  #: the job's status does not allow this (started twice, deleted while it runs)
    JOB_FAILED = 1004  #: the script failed, timed out or was stopped: ``data`` has its kind, message, line and column
    JOB_DAMAGED = 1005  #: the job's record in the store cannot be read
    WAIT_TIMEOUT = 1006  #: no reply within the wait; the job goes on
    BATCH_NOT_FOUND = 1007  #: no batch with this id, or it has expired
    SCHEDULE_NOT_FOUND = 1008  #: no schedule of this name

    STORE_UNAVAILABLE = 1101  #: Redis cannot be reached; nothing is known of what was asked last
    STORE_REFUSED = 1102  #: Redis answered with an error (out of memory, read-only, not permitted)

    MESSAGE_TOO_LARGE = 1201  #: over the transport's message limit
    BATCH_TOO_LARGE = 1202  #: more requests in a batch than the limit
    SHUTTING_DOWN = 1203  #: the server stops; a job that was waited for goes on
    ANSWER_TOO_LARGE = 1204  #: the answer of a batch is full; the request was not done, or its answer is left out
    TOO_MANY_CONNECTIONS = 1205  #: to the Unix socket; it is closed after this

    UNAUTHENTICATED = 1301  #: a token is needed, or this one is not known
    FORBIDDEN = 1302  #: the scope, the rights, or what the connection is bound to, do not allow this
    TOO_MANY_ATTEMPTS = 1303  #: too many wrong tokens from this address; none is looked at for a while
    SIGNATURE_REFUSED = 1304  #: a signature of the job is wrong, or that of its caller is required and missing

    NOT_SUPERVISED = 1401  #: this server supervises no actor processes
    ACTOR_NOT_FOUND = 1402  #: no entry, slot or actor of this name
    ACTOR_ELSEWHERE = 1403  #: the actor is not a child of this supervisor; ``data`` has its host
    SCALE_REFUSED = 1404  #: not between the least and the most processes of the entry, or no entry
    ROLL_STOPPED = 1405  #: a new process did not become ready, so the others were not replaced
    RELOAD_REFUSED = 1406  #: the config has errors: all are in ``data``; the old one stays

    PUSH_UNSUPPORTED = 1501  #: this transport cannot send notifications; the Unix socket and WebSocket can
    TOO_MANY_SUBSCRIPTIONS = 1502  #: of one connection
    SUBSCRIPTION_OVERFLOW = 1503  #: in a notification: the client read too slowly, its subscription has ended


class RpcError(Exception):
    """The error member of an answer.

    Attributes:
        code: An ``ErrorCode``.
        message: One sentence for a reader.
        data: At least ``kind``, a stable word for programs, and ``hint``, what to do about it.
    """

    def __init__(self, code: ErrorCode, message: str, /, *, kind: str, hint: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data: dict[str, Any] = {"kind": kind, "hint": hint, **data}


@dataclass(slots=True)
class Request:
    """One well-formed request. ``params`` is empty when there are none."""

    id: Id
    method: str
    params: list[Any] | dict[str, Any]
    notification: bool


@dataclass(slots=True)
class Refused:
    """What is answered without calling anything."""

    id: Id
    error: RpcError


Single: TypeAlias = Request | Refused


def parse(message: bytes, *, max_batch: int) -> Single | list[Single]:
    """Read one message.

    Args:
        message: One JSON text.
        max_batch: Most requests that a batch may have.

    Returns:
        A request or its refusal, or a list of them for a batch that has at least one element.
    """
    try:
        value = orjson.loads(message)
    except orjson.JSONDecodeError as e:
        return Refused(None, parse_error(str(e)))
    if type(value) is not list:
        return _request(value)
    if not value:
        return Refused(None, _invalid("an empty batch"))
    if len(value) > max_batch:
        text = f"a batch of {len(value)} requests; at most {max_batch} are taken"
        hint = "send the requests in several messages"
        return Refused(
            None, RpcError(ErrorCode.BATCH_TOO_LARGE, text, kind="batch_too_large", hint=hint, max_batch=max_batch)
        )
    return [_request(item) for item in value]


def encode_result(request_id: Id, result: Any) -> bytes:
    """Answer with a result: compact, without a line feed inside or behind.

    Raises:
        TypeError: The result has something that JSON cannot hold.
    """
    return _encode({"jsonrpc": "2.0", "id": request_id, "result": result})


def encode_error(request_id: Id, error: RpcError) -> bytes:
    """Answer with an error: compact, without a line feed inside or behind."""
    body = {"code": int(error.code), "message": error.message, "data": error.data}
    return _encode({"jsonrpc": "2.0", "id": request_id, "error": body})


def _encode(answer: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:
        # A foreign actor may have written an output that is not UTF-8: the rest of the answer is worth having.
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def encode_notification(method: str, subscription_id: str, outcome: dict[str, Any]) -> bytes:
    """Make a notification of a subscription: compact, without a line feed inside or behind.

    Args:
        method: Plain ASCII, as is the id.
        subscription_id: Whose.
        outcome: One member, ``result`` or ``error``.
    """
    # Many wait for their clients. What orjson gives keeps the kilobyte that it was written into; a copy is as long as
    # it is: 1,000 clients with 100 notifications each took 343 MiB, and take 30.
    head = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":"{subscription_id}",'
    return b"".join((head.encode(), memoryview(_encode(outcome))[1:], b"}"))


def encode_batch(answers: list[bytes]) -> bytes:
    """Join encoded answers into the answer of a batch."""
    return b"[" + b",".join(answers) + b"]"


def parse_error(reason: str) -> RpcError:
    """Build the error for bytes that are not JSON."""
    hint = "send one JSON object, or an array of them, in UTF-8"
    return RpcError(ErrorCode.PARSE_ERROR, f"Parse error: {reason}", kind="parse_error", hint=hint)


def too_large(max_bytes: int) -> RpcError:
    """Build the error for a message over the transport's limit."""
    text = f"the message is longer than {max_bytes} bytes"
    hint = "send less in one message, or raise max_message_bytes in the section [rpc] of the configuration"
    return RpcError(ErrorCode.MESSAGE_TOO_LARGE, text, kind="message_too_large", hint=hint, max_bytes=max_bytes)


def answer_too_large(max_bytes: int) -> RpcError:
    """Build the error for a request whose answer finds no room in that of its batch."""
    text = f"the answer of the batch would be longer than {max_bytes} bytes"
    hint = "send fewer requests in one batch, or raise max_batch_answer_bytes in the section [rpc] of the configuration"
    return RpcError(ErrorCode.ANSWER_TOO_LARGE, text, kind="answer_too_large", hint=hint, max_bytes=max_bytes)


def too_many_connections(max_connections: int) -> RpcError:
    """Build the error for a client that finds no room on the Unix socket."""
    text = f"there are {max_connections} connections to this socket already"
    hint = "close some, or raise unix_max_connections in the section [rpc] of the configuration"
    kind = "too_many_connections"
    return RpcError(ErrorCode.TOO_MANY_CONNECTIONS, text, kind=kind, hint=hint, max_connections=max_connections)


def shutting_down() -> RpcError:
    """Build the error for requests that a stopping server does not finish."""
    hint = "connect again and ask; jobs that were created or started go on"
    return RpcError(ErrorCode.SHUTTING_DOWN, "the server is shutting down", kind="shutting_down", hint=hint)


def _request(value: Any) -> Single:
    if type(value) is not dict:
        return Refused(None, _invalid("a request is an object"))
    notification = "id" not in value
    request_id = value.get("id")
    if type(request_id) not in _ID_TYPES:
        return Refused(None, _invalid("id must be a string, a number or null"))
    if type(request_id) is float and abs(request_id) >= _MAX_EXACT_FLOAT:
        return Refused(None, _invalid("id is a number too large to be echoed exactly; use a string"))
    if value.get("jsonrpc") != "2.0":
        return Refused(request_id, _invalid('jsonrpc must be "2.0"'))
    method = value.get("method")
    if type(method) is not str:
        return Refused(request_id, _invalid("method must be a string"))
    params = value.get("params")
    if params is None:
        params = []
    elif type(params) is not list and type(params) is not dict:
        return Refused(request_id, _invalid("params must be an array or an object"))
    return Request(request_id, method, params, notification)


def _invalid(reason: str) -> RpcError:
    hint = 'a request is {"jsonrpc": "2.0", "id": ..., "method": "...", "params": [...] or {...}}'
    return RpcError(ErrorCode.INVALID_REQUEST, f"Invalid Request: {reason}", kind="invalid_request", hint=hint)
