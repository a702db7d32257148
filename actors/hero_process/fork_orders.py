"""The orders that a supervisor gives to the fork server of its actors, and the answers, over a Unix stream socket.

The supervisor writes with this, the fork server reads, and neither imports the other. An order is the length of its
text in four bytes, together with three descriptors, and the text: arguments and environment, pickled. Invariant: only
a parent and its child speak it, over a socket that the parent has made for them.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: The descriptor at which an actor of the fork server finds its control socket.
CONTROL_FD: Final = 3

_LENGTH = struct.Struct("!I")
_ANSWER = struct.Struct("!ii")
_FDS = 3


class ForkAnswer(IntEnum):
    """What an answer says. The number beside it is a process id or an error number."""

    READY = 0
    """The server has loaded everything and takes orders."""
    FORKED = 1
    """The process with this id waits for its permission to run."""
    FAILED = 2
    """The kernel has made no process, for this reason. The next order may succeed."""
    OUTDATED = 3
    """The files that the server has loaded have changed. It ends, and a new one loads the new files."""
    UNABLE = 4
    """This system cannot do what the server needs. It ends, and another one would end too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkOrder:
    """One actor to fork.

    Attributes:
        arguments: Its command line, with the program.
        environ: Its whole environment.
        control_fd: Its end of the control socket.
        output_fd: Where its stdout and stderr go.
        held_fd: It runs when it reads one byte from here, and ends when it reads the end of file.
    """

    arguments: Sequence[str]
    environ: Mapping[str, str]
    control_fd: int
    output_fd: int
    held_fd: int


def send_order(sock: socket.socket, order: ForkOrder) -> None:
    """Give an order.

    Raises:
        OSError: The server has ended, or does not read.
    """
    text = pickle.dumps((list(order.arguments), dict(order.environ)))
    socket.send_fds(sock, [_LENGTH.pack(len(text))], [order.control_fd, order.output_fd, order.held_fd])
    sock.sendall(text)


def receive_order(sock: socket.socket) -> ForkOrder | None:
    """Wait for an order. Its descriptors belong to the caller.

    Returns:
        The order; None when there will be no more.

    Raises:
        OSError: An order came without its descriptors, because this process may have no more.
    """
    length, fds, _, _ = socket.recv_fds(sock, _LENGTH.size, _FDS)
    if len(length) < _LENGTH.size:
        return None
    if len(fds) < _FDS:
        raise OSError("an order has come without its descriptors")
    text = sock.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL)
    arguments, environ = pickle.loads(text)
    control_fd, output_fd, held_fd = fds
    return ForkOrder(arguments=arguments, environ=environ, control_fd=control_fd, output_fd=output_fd, held_fd=held_fd)


def send_answer(sock: socket.socket, answer: ForkAnswer, number: int = 0) -> None:
    """Answer an order.

    Raises:
        OSError: The supervisor has ended.
    """
    sock.sendall(_ANSWER.pack(answer, number))


def receive_answer(sock: socket.socket) -> tuple[ForkAnswer, int]:
    """Wait for an answer, as long as the time limit of the socket allows.

    Raises:
        OSError: The server has ended, or does not answer in time.
    """
    data = sock.recv(_ANSWER.size, socket.MSG_WAITALL)
    if len(data) < _ANSWER.size:
        raise ConnectionResetError("the fork server has ended")
    answer, number = _ANSWER.unpack(data)
    return ForkAnswer(answer), number
