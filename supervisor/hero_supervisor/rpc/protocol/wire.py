"""Reads JSON-RPC 2.0 requests from bytes and writes answers, errors and notifications as bytes. Pure.

The dispatcher reads and writes messages with it; transports write the errors that concern no single request. Where the
specification leaves a choice, this module makes it for all transports:

- A request with ``"id": null`` is answered; only a request without ``id`` is a notification.
- ``"params": null`` means no parameters (Go and Rust clients write it); other unstructured values are refused.
- An id is echoed with its type. A number that JSON libraries cannot carry exactly (an integer beyond 64 bits) is
  refused rather than echoed changed.
- The last of duplicate keys counts. Members that the specification does not name are ignored.
- A malformed request is answered with its id if that is readable, otherwise with null. So is each request of a batch
  that is too large, and a message that is not even parsed, as far as its ids are found.

Source: https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

import orjson

from hero_supervisor.rpc.protocol.message_ids import Id, ids_in

# Beyond this a double cannot hold every integer, so the parsed float may differ from the number in the text.
_MAX_EXACT_FLOAT: Final = 2.0**53
_ID_TYPES: Final = frozenset({str, int, float, type(None)})


class ErrorCode(IntEnum):
    """Every error code. Our own are positive, outside the range that JSON-RPC reserves, and are never reused."""

    PARSE_ERROR = -32700  #: not JSON
    INVALID_REQUEST = -32600  #: JSON, but not a request
    METHOD_NOT_FOUND = -32601  #: the server has no method of this name
    INVALID_PARAMS = -32602  #: a parameter, or a field of a job in it, is missing, unknown or wrong
    INTERNAL_ERROR = -32603  #: a defect of the server; its log has the details

    JOB_NOT_FOUND = 1001  #: no job with this id, or it has expired
    JOB_CONFLICT = 1002  #: the id belongs to a job with different content
    JOB_STATE = 1003  #: the job's status does not allow this (started twice, deleted while it runs)
    JOB_FAILED = 1004  #: the script failed, timed out or was stopped: ``data`` has its kind, message, line and column
    JOB_DAMAGED = 1005  #: the job's record in the store cannot be read
    WAIT_TIMEOUT = 1006  #: no reply within the wait; the job goes on
    BATCH_NOT_FOUND = 1007  #: no batch with this id, or it has expired
    SCHEDULE_NOT_FOUND = 1008  #: no schedule of this name

    STORE_UNAVAILABLE = 1101  #: Redis cannot be reached; the request may or may not have taken effect
    STORE_REFUSED = 1102  #: Redis answered with an error (out of memory, read-only, not permitted)

    MESSAGE_TOO_LARGE = 1201  #: longer than ``max_message_bytes``
    BATCH_TOO_LARGE = 1202  #: too many requests in one batch
    SHUTTING_DOWN = 1203  #: the server stops; a job that the client waited for goes on
    ANSWER_TOO_LARGE = 1204  #: the answer to the batch is full; the request was not run, or its answer is left out
    TOO_MANY_CONNECTIONS = 1205  #: the Unix socket has as many as it may have; this one is closed

    UNAUTHENTICATED = 1301  #: a token is needed, or the one given is not known
    FORBIDDEN = 1302  #: the scope, the rights or the binding of the connection do not allow this
    TOO_MANY_ATTEMPTS = 1303  #: too many wrong tokens from this address; it must wait
    SIGNATURE_REFUSED = 1304  #: a signature of the job is wrong, or its caller's is required and missing

    NOT_SUPERVISED = 1401  #: this server supervises no actor processes
    ACTOR_NOT_FOUND = 1402  #: no entry, slot or actor of this name
    ACTOR_ELSEWHERE = 1403  #: the actor belongs to another supervisor; ``data`` has its host
    SCALE_REFUSED = 1404  #: the count is outside the limits of the entry, or the name is not that of an entry
    ROLL_STOPPED = 1405  #: a new process did not become ready, so the others were not replaced
    FUNCTIONS_UNKNOWN = 1407  #: the functions that an entry offers to its scripts cannot be listed
    RELOAD_REFUSED = 1406  #: the config has errors, listed in ``data``; the old config stays

    OBJECT_NOT_FOUND = 1601  #: no object with this SID, or the caller may not read it
    OBJECT_CHANGED = 1602  #: somebody else has changed the object since the version that was given

    PUSH_UNSUPPORTED = 1501  #: this transport cannot send notifications; the Unix socket and WebSocket can
    TOO_MANY_SUBSCRIPTIONS = 1502  #: the connection has as many as it may have
    SUBSCRIPTION_OVERFLOW = 1503  #: in a notification: the client read too slowly, so its subscription has ended


class RpcError(Exception):
    """The error member of an answer.

    Attributes:
        code: An ``ErrorCode``.
        message: One sentence for people.
        data: At least ``kind``, a stable word for programs, and ``hint``, which says what to do.
    """

    def __init__(self, code: ErrorCode, message: str, /, *, kind: str, hint: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data: dict[str, Any] = {"kind": kind, "hint": hint, **data}


@dataclass(slots=True)
class Request:
    """One well-formed request; ``params`` is empty if the request has none."""

    id: Id
    method: str
    params: list[Any] | dict[str, Any]
    notification: bool


@dataclass(slots=True)
class Refused:
    """A malformed request, which is answered with an error without calling a method."""

    id: Id
    error: RpcError


Single: TypeAlias = Request | Refused

#: Messages beyond this are counted before they are parsed.
LARGE_BYTES: Final = 64 * 1024
#: Commas, colons and brackets of one message. Parsing so many values holds the event loop for some 20 ms. A batch of
#: 10,000 jobs with nine fields each has fewer.
MAX_MARKS: Final = 200_000
_SLICE_BYTES: Final = 64 * 1024


class MarkCounter:
    """Counts the values of a large message, a slice at a time, so that others can have their turn in between.

    Args:
        message: JSON text.
    """

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._at = 0
        self._in_text = False
        self._marks = 0
        self._quotes = 0

    def step(self) -> bool:
        """Look at the next slice.

        Returns:
            Whether there is more to look at.
        """
        part = self._message[self._at : self._at + _SLICE_BYTES]
        if (len(part) - len(part.rstrip(b"\\"))) % 2:  # what it escapes belongs to this slice
            part = self._message[self._at : self._at + len(part) + 1]
        self._at += len(part)
        # Marks in texts, such as scripts, do not count.
        pieces = part.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(pieces[1::2] if self._in_text else pieces[::2])
        self._marks += sum(map(outside.count, (b",", b":", b"[", b"{")))
        self._quotes += len(pieces) - 1
        self._in_text ^= len(pieces) % 2 == 0
        return self._at < len(self._message) and not self._too_many

    def refusal(self) -> Refused | list[Single] | None:
        """Refuse the message if it has more values than can be parsed quickly; call it after the last step.

        Returns:
            None if it can be parsed; else its refusal, or one for each request of a batch that could be found.
        """
        if not self._too_many:
            return None
        text = f"Invalid Request: more than {MAX_MARKS} commas, colons and brackets outside of its texts"
        hint = "send less in one message"
        error = RpcError(ErrorCode.INVALID_REQUEST, text, kind="too_many_values", hint=hint)
        return refuse_unparsed(error, *ids_in(self._message, self._message))

    @property
    def _too_many(self) -> bool:
        return self._marks > MAX_MARKS or self._quotes > 4 * MAX_MARKS


def check_size(message: bytes) -> Refused | list[Single] | None:
    """Count the values of a message in one go; see `MarkCounter.refusal`."""
    counter = MarkCounter(message)
    while counter.step():
        pass
    return counter.refusal()


def refuse_unparsed(error: RpcError, is_batch: bool, ids: Sequence[Id]) -> Refused | list[Single]:
    """Refuse a message that was not parsed.

    Args:
        error: Why.
        is_batch: Whether it is a batch.
        ids: The ids of its requests, as far as they are known.
    """
    if is_batch and ids:
        return [Refused(request_id, error) for request_id in ids]
    return Refused(ids[0] if ids and not is_batch else None, error)


def _loads(message: bytes) -> Any:
    if len(message) <= LARGE_BYTES or not gc.isenabled():
        return orjson.loads(message)
    # Each new object would bring the next collection closer, and each collection looks at all of them.
    gc.disable()
    try:
        return orjson.loads(message)
    finally:
        gc.enable()


def parse(message: bytes, *, max_batch: int) -> Single | list[Single]:
    """Read one message.

    Args:
        message: One JSON text.
        max_batch: Most requests in a batch.

    Returns:
        A request or its refusal; for a batch a list of them, never empty.
    """
    try:
        value = _loads(message)
    except orjson.JSONDecodeError as e:
        return Refused(None, parse_error(str(e)))
    if type(value) is not list:
        return _request(value)
    if not value:
        return Refused(None, _invalid("an empty batch"))
    if len(value) > max_batch:
        text = f"the batch has {len(value)} requests and may have {max_batch} at most"
        hint = "send the requests in several batches"
        error = RpcError(ErrorCode.BATCH_TOO_LARGE, text, kind="batch_too_large", hint=hint, max_batch=max_batch)
        ids = [item["id"] for item in value if type(item) is dict and "id" in item and is_id(item["id"])]
        return refuse_unparsed(error, True, ids)
    return [_request(item) for item in value]


def encode_result(request_id: Id, result: Any) -> bytes:
    """Encode the answer with a result: compact, without any line feed.

    Raises:
        TypeError: The result holds something that JSON cannot express.
    """
    return _encode({"jsonrpc": "2.0", "id": request_id, "result": result})


def encode_error(request_id: Id, error: RpcError) -> bytes:
    """Encode the answer with an error: compact, without any line feed."""
    return _encode({"jsonrpc": "2.0", "id": request_id, "error": error_body(error)})


def encode_refusal(refused: Refused | list[Single]) -> bytes:
    """Encode the answer to a message of which nothing is run."""
    if isinstance(refused, Refused):
        return encode_error(refused.id, refused.error)
    return encode_batch([encode_error(one.id, one.error) for one in refused if isinstance(one, Refused)])


def error_body(error: RpcError) -> dict[str, Any]:
    """Build the JSON object that describes an error in an answer, a notification or a result."""
    return {"code": int(error.code), "message": error.message, "data": error.data}


def _encode(answer: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(answer)
    except TypeError:
        # A third-party actor may have written an output that is not UTF-8; the rest of the answer is still useful.
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def encode_notification(method: str, subscription_id: str, outcome: dict[str, Any]) -> bytes:
    """Encode a notification of a subscription: compact, without any line feed.

    Args:
        method: Name in plain ASCII.
        subscription_id: Id in plain ASCII.
        outcome: One member, ``result`` or ``error``.
    """
    # Many notifications wait in queues. A result of orjson occupies the whole kilobyte of its buffer, a copy only its
    # own length: with 100 notifications queued for each of 1,000 clients, 30 MiB instead of 343.
    head = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":"{subscription_id}",'
    return b"".join((head.encode(), memoryview(_encode(outcome))[1:], b"}"))


def encode_batch(answers: list[bytes]) -> bytes:
    """Join encoded answers into the answer to a batch."""
    return b"[" + b",".join(answers) + b"]"


def parse_error(reason: str) -> RpcError:
    """Build the error for bytes that are not JSON."""
    hint = "send one JSON object, or an array of them, in UTF-8"
    return RpcError(ErrorCode.PARSE_ERROR, f"Parse error: {reason}", kind="parse_error", hint=hint)


def too_large(max_bytes: int) -> RpcError:
    """Build the error for a message that is longer than the limit."""
    text = f"the message is longer than {max_bytes} bytes"
    hint = "send less in one message, or raise max_message_bytes in section [rpc] of the configuration"
    return RpcError(ErrorCode.MESSAGE_TOO_LARGE, text, kind="message_too_large", hint=hint, max_bytes=max_bytes)


def answer_too_large(max_bytes: int) -> RpcError:
    """Build the error for a request whose answer does not fit into the answer to its batch."""
    text = f"the answer to the batch would be longer than {max_bytes} bytes"
    hint = "send fewer requests in one batch, or raise max_batch_answer_bytes in section [rpc] of the configuration"
    return RpcError(ErrorCode.ANSWER_TOO_LARGE, text, kind="answer_too_large", hint=hint, max_bytes=max_bytes)


def too_many_connections(max_connections: int) -> RpcError:
    """Build the error for one connection too many to the Unix socket."""
    text = f"this socket already has {max_connections} connections"
    hint = "close unused connections, or raise unix_max_connections in section [rpc] of the configuration"
    kind = "too_many_connections"
    return RpcError(ErrorCode.TOO_MANY_CONNECTIONS, text, kind=kind, hint=hint, max_connections=max_connections)


def shutting_down() -> RpcError:
    """Build the error for requests that a stopping server does not finish."""
    hint = "connect again and ask for the status of your jobs; those that were created or started go on"
    return RpcError(ErrorCode.SHUTTING_DOWN, "the server is shutting down", kind="shutting_down", hint=hint)


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a request, and can be echoed exactly."""
    return type(value) in _ID_TYPES and not (type(value) is float and abs(value) >= _MAX_EXACT_FLOAT)


def _request(value: Any) -> Single:
    if type(value) is not dict:
        return Refused(None, _invalid("a request must be an object"))
    notification = "id" not in value
    request_id = value.get("id")
    if type(request_id) not in _ID_TYPES:
        return Refused(None, _invalid("id must be a string, a number or null"))
    if not is_id(request_id):
        return Refused(None, _invalid("id is too large a number to be echoed exactly; use a string"))
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
    hint = 'send {"jsonrpc": "2.0", "id": ..., "method": "...", "params": [...] or {...}}'
    return RpcError(ErrorCode.INVALID_REQUEST, f"Invalid Request: {reason}", kind="invalid_request", hint=hint)
