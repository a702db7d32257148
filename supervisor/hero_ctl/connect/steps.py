"""Tells what a command does, for `--verbose`: what it connects to, how it found that, and each step with its time.

Everything goes to standard error, a line per step. Invariant: a line never holds a secret or an argument of an
operation; a command without `--verbose` pays nothing, because its store and its server are the plain ones.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hero_client.remote.server import RemoteServer
from hero_ctl.options import PlaceOptions
from hero_ctl.output.console import print_note
from hero_job.client.store import Store
from hero_job.protocol.op import Op, T

_BEGAN_MONO: Final = time.monotonic()
_told: Final[set[str]] = set()


def tell(place: PlaceOptions, text: Callable[[], str]) -> None:
    """Say something once, if that is wanted.

    Args:
        place: The options of the command.
        text: Makes the sentence.
    """
    if place.verbose and (said := text()) not in _told:
        _told.add(said)
        _print(said)


@contextlib.contextmanager
def step(what: str, *, told: bool = True) -> Iterator[None]:
    """Say what is done inside, and how long it took, also if it fails.

    Args:
        what: The step.
        told: Whether that is wanted.
    """
    begin_mono = time.monotonic()
    failed = ""
    try:
        yield
    except BaseException as e:
        failed = f", {type(e).__name__}"
        raise
    finally:
        if told:
            _print(f"{what}: {(time.monotonic() - begin_mono) * 1000:.1f} ms{failed}")


class ToldStore(Store):
    """A store that tells each round trip."""

    def run(self, op: Op[T], check: Callable[[], None] | None = None) -> T:
        """See `Store`."""
        with step(f"store {_name(op)}"):
            return super().run(op, check)

    def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """See `Store`."""
        more = f" and {len(ops) - 1} more" if len(ops) > 1 else ""
        with step(f"store {_name(ops[0]) if ops else 'nothing'}{more}"):
            return super().run_many(ops)


class ToldServer(RemoteServer):
    """A server that tells each call."""

    __slots__ = ()

    def call(self, method: str, params: Any, wait_s: float | None = None) -> dict[str, Any]:
        """See `RemoteServer`."""
        with step(f"rpc {method}"):
            return super().call(method, params, wait_s)


def open_store(place: PlaceOptions, url: str, name: str = "hero") -> Store:
    """Make a store, which tells its round trips if that is wanted.

    Args:
        place: The options of the command.
        url: Its URL.
        name: Of its connections in CLIENT LIST.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
    """
    return (ToldStore if place.verbose else Store)(url, name=name)


def told_server(place: PlaceOptions, server: RemoteServer) -> RemoteServer:
    """Make a server tell its calls, if that is wanted."""
    if not place.verbose:
        return server
    token = "with a token" if server.token else "without a token"
    tell(place, lambda: f"server {server.url}, named by {server.origin}, {token}")
    return ToldServer(url=server.url, token=server.token, tls_files=server.tls_files, origin=server.origin)


def _name(op: Op[Any]) -> str:
    return f"script {op.script.name}" if op.script is not None else str(op.args[0])


def _print(text: str) -> None:
    print_note(f"[{time.monotonic() - _BEGAN_MONO:.3f} s] {text}")
