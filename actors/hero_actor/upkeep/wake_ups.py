"""What wakes the main thread: signals, commands of the supervisor, and the actor's other threads.

The main thread sleeps in `WakeUps.wait`, which turns signals and commands into shutdown flags. Invariant: the signal
handler only notes the signal. It may interrupt the main thread while that holds the lock of the flags.
"""

from __future__ import annotations

import logging
import select
import signal
from collections import deque
from types import FrameType

from hero_actor.conditions.shutdown_flags import Reason, ShutdownFlags
from hero_actor.upkeep.control import ControlSocket

log = logging.getLogger(__name__)

#: Longest time from the death signal of a supervisor to the end of file on its socket, in seconds.
_SOCKET_CLOSES_S = 0.3


class WakeUps:
    """Waits for signals, commands and other threads. Used by the main thread only.

    Args:
        shutdown: Receives the requests to drain or stop.
        control: Socket to the supervisor; None without a supervisor.
    """

    def __init__(self, shutdown: ShutdownFlags, control: ControlSocket | None) -> None:
        self._shutdown = shutdown
        self._control = control
        self._signals: deque[int] = deque()
        self._interrupts = 0
        self._terminated = False

    def take_signals(self) -> None:
        """Handle SIGTERM and SIGINT from now on."""
        # The wake-up pipe ends the poll, and Python runs the handler in this thread right after it.
        # Source: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
        signal.set_wakeup_fd(self._shutdown.wake_write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note_signal)
        signal.signal(signal.SIGINT, self._note_signal)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def wait(self, wait_s: float) -> None:
        """Wait until something happens or the time is up, and carry out what was asked for.

        Args:
            wait_s: Longest wait, in seconds.
        """
        poll = select.poll()
        poll.register(self._shutdown.wake_read_fd, select.POLLIN)
        control = self._control
        if control is not None and not control.lost:
            poll.register(control.fileno(), select.POLLIN)
        poll.poll(max(0.0, wait_s) * 1000)
        self._shutdown.clear_wake()
        while self._signals:
            number = self._signals.popleft()
            self._interrupts += number == signal.SIGINT
            self._terminated = self._terminated or number == signal.SIGTERM
            self._shutdown.request(Reason.SIGNAL, stop=self._interrupts >= 2)
        if control is None:
            return
        for message in control.receive():
            command = message.get("command")
            if command in ("drain", "stop"):
                self._shutdown.request(Reason.CONTROL, stop=command == "stop")
            else:
                log.warning("control.unknown_command", extra={"command": str(command)})
        if control.lost:  # noticed just now, or by the last report
            self._shutdown.request(Reason.CONTROL_LOST)

    def supervisor_is_gone(self) -> bool:
        """Find out whether the supervisor is gone; may wait for the end of file that follows its death."""
        control = self._control
        if control is None:
            return False
        if self._terminated and not control.lost:
            # The SIGTERM may be the kernel's, for the death of the supervisor. It is sent when the supervisor's first
            # thread ends. The socket closes when the last one does, a little later.
            poll = select.poll()
            poll.register(control.fileno(), select.POLLIN)
            poll.poll(_SOCKET_CLOSES_S * 1000)
            control.receive()
        return control.lost
