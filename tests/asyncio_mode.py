"""Fails a test whose event loop leaves something behind, in whatever thread of this process the loop has run.

On for all tests. At the close of each `asyncio.Runner` (`asyncio.run` and `uvloop.run` use one) no asyncio task may be
left that nobody has told to end: it waits for a future that nobody resolves. No asyncio task or callback may have ended
unseen with an exception. After a test that has run a loop the garbage is collected, so that a coroutine that was never
awaited, or a socket or transport that was never closed, fails that test and no later one; also after a test that has
sockets open. When all tests have run, no socket may be open; who has made one is told.

In the pass with asyncio's debug mode (`scripts/test --dev`) two more things are looked at: futures that somebody waits
for when the loop closes, and callbacks that take more than `SLOW_S` of processor time. For that, the standard loop runs
in place of uvloop.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
import sys
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import uvloop

#: Processor time of one callback that is too much, in seconds. Time in which the machine does something else does not
#: count, and a callback of the product takes milliseconds.
SLOW_S = 2.0


class LoopWatch(logging.Handler):
    """What loops have left behind since the last look.

    Attributes:
        runs: How many runners have been closed.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.runs = 0
        self._found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take an error that asyncio reports: something has ended with an exception, or was destroyed, unseen."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self._found.append(f"{record.getMessage()}\n{trace}".rstrip())

    def note(self, found: str) -> None:
        """Note what something has done to later tests."""
        self._found.append(found)

    def take(self) -> list[str]:
        """Give what was found, once."""
        found, self._found = self._found, []
        return found

    def note_closing(self, loop: asyncio.AbstractEventLoop, *, debug: bool) -> None:
        """Look at a loop that is about to close."""
        self.runs += 1
        tasks = [task for task in asyncio.all_tasks(loop) if not task.done() and not task.cancelling()]
        self._found += (f"left when its loop closed, and not told to end: {task!r}" for task in tasks)
        if debug:
            # Those that a task waits for are told with their task.
            told = {id(getattr(task, "_fut_waiter", None)) for task in asyncio.all_tasks(loop)}
            self._found += (
                f"nobody has resolved what somebody waits for: {future!r}"
                for future in gc.get_objects()
                if type(future) is asyncio.Future
                and not future.done()
                and future.get_loop() is loop
                and getattr(future, "_callbacks", None)
                and id(future) not in told
            )

    def note_slow(self, handle: asyncio.Handle, cpu_s: float) -> None:
        """Note a callback that has held its loop for long."""
        self._found.append(f"took {cpu_s:.1f} s of processor time: {handle!r}")


class SocketWatch:
    """Who has made which socket of this process.

    Attributes:
        maker: The test that runs, or "" while a fixture is made that several tests share.
    """

    def __init__(self) -> None:
        self.maker = ""
        self._made: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()

    def note(self, made: socket.socket) -> None:
        """Note a new socket."""
        if self.maker:
            self._made[made] = self.maker

    def left(self, maker: str) -> list[socket.socket]:
        """Give the sockets of a test that are open."""
        return [one for one, by in list(self._made.items()) if by == maker and one.fileno() >= 0]

    def maker_of(self, made: socket.socket) -> str:
        """Name the test that has made a socket."""
        return self._made.get(made, "what several tests share")


#: Modules of the product that keep connections for later runs of scripts, as long as the process lives.
_KEEPERS = ("hero_engine.host.network.web", "hero_engine.host.families.redis")
_CLOSING_S = 60.0

WATCH = LoopWatch()
SOCKETS = SocketWatch()


def is_debug() -> bool:
    """Does this run look for what asyncio's debug mode shows?"""
    return sys.flags.dev_mode


def install() -> None:
    """Watch all runners of this process from now on."""
    logging.getLogger("asyncio").addHandler(WATCH)
    close: Callable[[asyncio.Runner], None] = asyncio.Runner.close

    @functools.wraps(close)
    def watched_close(runner: asyncio.Runner) -> None:
        loop: asyncio.AbstractEventLoop | None = getattr(runner, "_loop", None)
        if loop is not None and not loop.is_closed():
            WATCH.note_closing(loop, debug=is_debug())
        close(runner)

    asyncio.Runner.close = watched_close  # type: ignore[assignment,method-assign]
    make: Callable[..., None] = socket.socket.__init__

    @functools.wraps(make)
    def noted_make(made: socket.socket, *args: Any, **options: Any) -> None:
        make(made, *args, **options)
        SOCKETS.note(made)

    socket.socket.__init__ = noted_make  # type: ignore[assignment,method-assign]
    if is_debug():
        uvloop.new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]
        _time_callbacks()


def _time_callbacks() -> None:
    run: Callable[[asyncio.Handle], Any] = asyncio.Handle._run

    def timed_run(handle: asyncio.Handle) -> None:
        before_s = time.thread_time()
        run(handle)
        if (cpu_s := time.thread_time() - before_s) > SLOW_S:
            WATCH.note_slow(handle, cpu_s)

    asyncio.Handle._run = timed_run  # type: ignore[assignment,method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Let the sockets of a fixture that several tests share belong to no test."""
    if fixturedef.scope == "function":
        return (yield)
    maker, SOCKETS.maker = SOCKETS.maker, ""
    try:
        return (yield)
    finally:
        SOCKETS.maker = maker


@pytest.fixture(autouse=True)
def loops_leave_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if a loop that has run during it has left something, or if it has dropped an open socket."""
    runs, failed = WATCH.runs, request.session.testsfailed
    SOCKETS.maker = test = request.node.nodeid
    yield
    SOCKETS.maker = ""
    if WATCH.runs != runs or SOCKETS.left(test):
        gc.collect()
    if request.session.testsfailed != failed:
        # The traceback of this test holds them, until another test fails.
        for one in SOCKETS.left(test):
            one.close()
    if found := WATCH.take():
        pytest.fail("\n".join(found), pytrace=False)


def _open_sockets() -> list[socket.socket]:
    gc.collect()
    # By the type: `isinstance` asks a weak proxy for the class of what it stood for, which may be gone.
    found = [one for one in gc.get_objects() if issubclass(type(one), socket.socket)]
    return [one for one in found if one.fileno() >= 0]


@pytest.fixture(scope="session", autouse=True)
def no_socket_is_left() -> Iterator[None]:
    """Fail the last test if a socket is open when all tests have run."""
    # What exists now stays: the collections after the tests need not look at it.
    gc.collect()
    gc.freeze()
    yield
    if not gc.get_freeze_count():
        WATCH.note("gc.unfreeze() has made the collection after each later test look at all that is imported")
    gc.unfreeze()
    for name in _KEEPERS:
        if (keeper := sys.modules.get(name)) is not None:
            keeper.close_kept()
    # The threads of the tests' servers close the other ends a moment later.
    end_mono = time.monotonic() + _CLOSING_S
    while (left := _open_sockets()) and time.monotonic() < end_mono:
        time.sleep(0.05)
    if found := [*WATCH.take(), *(f"never closed: {one!r}, made by {SOCKETS.maker_of(one)}" for one in left)]:
        pytest.fail("\n".join(found), pytrace=False)
