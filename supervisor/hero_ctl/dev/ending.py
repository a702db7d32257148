"""How a program ends that has started a service: by which signals, and what its children do then."""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Ended(Exception):
    """A signal has asked this program to end."""

    def __init__(self, number: int) -> None:
        """Keep the number of the signal."""
        self.number = number
        super().__init__(number)


def raise_on_signals() -> None:
    """From now on a signal that ends programs raises `Ended`, once."""
    for number in _ENDING:
        signal.signal(number, _end)


def ignore_signals() -> None:
    """From now on no signal cuts the clean-up short; its time is bounded."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold signals back, so that none arrives before the id of a new process is stored."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Set up a new process before its program starts: SIGTERM when its parent dies, and no blocked signals."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _end(number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Ended(number)
