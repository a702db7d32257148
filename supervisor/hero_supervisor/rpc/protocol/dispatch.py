"""Calls the registered function for each JSON-RPC request, the same way for every transport.

Transports pass in a message and get the encoded answer. Methods are typed asynchronous functions; pydantic validates
and binds positional and named parameters from their signatures. Invariant: every request that is not a notification
gets exactly one answer, no matter what its method does. Only this module catches exceptions of every kind.
"""

from __future__ import annotations

import asyncio
import codecs
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from hero_job.model.errors import HeroJobError
from hero_process.defects import log_failure
from hero_supervisor.errors import FleetError
from hero_supervisor.rpc.protocol import rpc_errors, wire
from hero_supervisor.rpc.protocol.param_bounds import check_params
from hero_supervisor.rpc.protocol.wire import ErrorCode, Refused, RpcError, Single

DEFAULT_MAX_BATCH: Final = 1000
DEFAULT_MAX_BATCH_ANSWER_BYTES: Final = 25 * 1024 * 1024
# Requests of one batch that run concurrently: enough to use all connections to the store, too few to flood them.
BATCH_WIDTH: Final = 64

log = logging.getLogger(__name__)
_Function = Callable[..., Awaitable[Any]]
Admit = Callable[[wire.Request], None]
"""Lets a request pass, possibly changed, or raises the error that answers it."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A registered function and its name on the wire.

    What checks the parameters is made for the first call: a service has nearly a hundred methods, of which its clients
    call few, and to make it for all of them was a third of the work between the imports and the first request.
    """

    name: str
    function: _Function
    error_codes: Sequence[ErrorCode]

    @cached_property
    def call(self) -> Callable[[ArgsKwargs], Awaitable[Any]]:
        """Validates the arguments and calls the function in one step, inside pydantic's compiled code."""
        # Resolved here, because pydantic would look names up in this module instead of in the function's own.
        hints = get_type_hints(self.function, include_extras=True)
        getattr(self.function, "__func__", self.function).__annotations__ = hints
        # pydantic accepts functions as types, although the annotation of TypeAdapter does not say so.
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, self.function), config=ConfigDict(strict=True))
        validate: Callable[[ArgsKwargs], Awaitable[Any]] = adapter.validator.validate_python
        return validate

    @cached_property
    def parameter_names(self) -> Sequence[str]:
        """The names of its positional parameters, in their order."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD)


class Dispatcher:
    """The methods of a service.

    Args:
        max_batch: Most requests in a batch.
        max_batch_answer_bytes: Longest answer to a batch; requests whose answers do not fit get an error instead.
    """

    def __init__(
        self,
        *,
        max_batch: int = DEFAULT_MAX_BATCH,
        max_batch_answer_bytes: int = DEFAULT_MAX_BATCH_ANSWER_BYTES,
    ) -> None:
        self._methods: dict[str, Method] = {}
        self._max_batch = max_batch
        self._max_batch_answer_bytes = max_batch_answer_bytes
        self._stopping = False
        self._late: set[asyncio.Future[None]] = set()
        #: Told of each request before its answer is sent, with `ok` or the kind of its error.
        self.witness: Callable[[wire.Request, str], Awaitable[None]] | None = None
        #: Told of each request that has ended: its method or `unknown`, `ok`, a code or `cancelled`, and its seconds.
        self.count: Callable[[str, str, float], None] | None = None

    @property
    def methods(self) -> Mapping[str, Method]:
        """The registered methods by name, in order of registration."""
        return self._methods

    def register(self, name: str, function: _Function, *, error_codes: Sequence[ErrorCode] = ()) -> None:
        """Register a function as a method.

        Args:
            name: Its name on the wire.
            function: Asynchronous, with every parameter annotated; its docstring becomes the method's description.
            error_codes: Codes it may answer with besides the standard ones; shown in the service description.
        """
        self._methods[name] = Method(name=name, function=function, error_codes=tuple(error_codes))

    def stop(self) -> None:
        """Answer new requests and cancelled calls with "shutting down" from now on."""
        self._stopping = True

    async def answer(self, message: bytes, admit: Admit | None = None) -> bytes | None:
        """Answer one message.

        Args:
            message: JSON text of a request or a batch.
            admit: Called with each request first, even before its method is looked up.

        Returns:
            The encoded answer without a line feed, or None if the message needs no answer.
        """
        message = message.removeprefix(codecs.BOM_UTF8)
        large = len(message) > wire.LARGE_BYTES
        if large:
            counter, more = wire.MarkCounter(message), True
            while more:
                more = counter.step()
                await asyncio.sleep(0)  # others have their turn between the steps
            if (refused := counter.refusal()) is not None:
                return wire.encode_refusal(refused)
        parsed = wire.parse(message, max_batch=self._max_batch)
        if large:
            await asyncio.sleep(0)
        if isinstance(parsed, list):
            return await self._serve_batch(parsed, admit)
        return await self._serve(parsed, admit, large=large)

    async def _serve(self, request: Single, admit: Admit | None, *, large: bool = False) -> bytes | None:
        if isinstance(request, Refused):
            return wire.encode_error(request.id, request.error)
        began_mono = time.monotonic()
        try:
            check_params(request.params)
            if large:
                await asyncio.sleep(0)
            if admit is not None:
                admit(request)
            result = await self._begin(request)
            self._count(request, "ok", began_mono)
            if self.witness is not None:
                await self.witness(request, "ok")
            return None if request.notification else wire.encode_result(request.id, result)
        except RpcError as e:
            error = e
        except HeroJobError as e:
            error = rpc_errors.from_job_error(e)
        except FleetError as e:
            error = rpc_errors.from_fleet_error(e)
        except asyncio.CancelledError:
            if not self._stopping:
                self._count(request, "cancelled", began_mono)
                # The client is gone, and what it asked for may have been done.
                late = asyncio.ensure_future(self._tell(request, "cancelled"))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
                raise
            error = wire.shutting_down()
        except Exception as e:  # noqa: BLE001 - logged
            log_failure(log, "rpc.method_broken", e, method=request.method)
            error = rpc_errors.internal_error()
        self._count(request, str(int(error.code)), began_mono)
        await self._tell(request, str(error.data.get("kind", "error")))
        return None if request.notification else wire.encode_error(request.id, error)

    def _count(self, request: wire.Request, outcome: str, began_mono: float) -> None:
        if self.count is not None:
            method = request.method if request.method in self._methods else "unknown"
            self.count(method, outcome, time.monotonic() - began_mono)

    async def _tell(self, request: wire.Request, outcome: str) -> None:
        if self.witness is not None:
            await self.witness(request, outcome)

    def _begin(self, request: wire.Request) -> Awaitable[Any]:
        """Check the parameters and begin the call, which then has to be awaited."""
        if self._stopping:
            raise wire.shutting_down()
        method = self._methods.get(request.method)
        if method is None:
            raise rpc_errors.method_not_found(request.method)
        params = request.params
        arguments = ArgsKwargs((), params) if type(params) is dict else ArgsKwargs(tuple(params))
        try:
            return method.call(arguments)
        except ValidationError as e:
            raise rpc_errors.from_validation(e, method.parameter_names) from None

    async def _serve_batch(self, requests: list[Single], admit: Admit | None) -> bytes | None:
        """Serve the requests of a batch concurrently; the answers keep the order of the requests."""
        answers: list[bytes | None] = [None] * len(requests)
        waiting = enumerate(requests)
        most_bytes, total_bytes = self._max_batch_answer_bytes, 0

        async def serve_next() -> None:
            nonlocal total_bytes
            for index, request in waiting:
                # Notifications take no room. Once the answer is full, other requests are refused without being run.
                needs_answer = isinstance(request, wire.Request) and not request.notification
                if needs_answer and total_bytes >= most_bytes:
                    answer: bytes | None = wire.encode_error(request.id, wire.answer_too_large(most_bytes))
                else:
                    answer = await self._serve(request, admit)
                    # An answer shorter than the error is kept: replacing it would save nothing.
                    if answer is not None and total_bytes + len(answer) > most_bytes:
                        error = wire.encode_error(request.id, wire.answer_too_large(most_bytes))
                        answer = min(answer, error, key=len)
                        total_bytes = most_bytes
                total_bytes += len(answer or b"")
                answers[index] = answer
                await asyncio.sleep(0)  # a request that is refused awaits nothing

        running = [asyncio.ensure_future(serve_next()) for _ in requests[:BATCH_WIDTH]]
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            if not self._stopping:
                raise
            await asyncio.wait(running)  # requests in flight answer "shutting down", and so do the rest immediately
        present = [answer for answer in answers if answer is not None]
        return wire.encode_batch(present) if present else None
