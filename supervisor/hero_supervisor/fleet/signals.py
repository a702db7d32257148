"""The signals by which an operator, or a service manager, changes the actors of a running service.

Owned here: what each signal does to the fleet. `service.py` handles the signals that end the service. Invariant: none
of the signals here ends the service, even while it starts, although that is the default action of most.

Source: signals of gunicorn, https://docs.gunicorn.org/en/stable/signals.html (HUP, TTIN, TTOU; USR2 as a restart)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator

from hero_supervisor.errors import ReloadRefused
from hero_supervisor.fleet.fleet import Fleet

log = logging.getLogger(__name__)


@contextlib.contextmanager
def fleet_signals(fleet: Callable[[], Fleet | None]) -> Iterator[None]:
    """Handle these signals on the running loop.

    Args:
        fleet: Gives the actors to act on; None while the service starts or stops.
    """
    loop = asyncio.get_running_loop()
    acts: dict[signal.Signals, Callable[[Fleet], object]] = {
        signal.SIGHUP: _reload,
        signal.SIGUSR2: Fleet.restart,
        signal.SIGTTIN: lambda fleet: fleet.step(1),
        signal.SIGTTOU: lambda fleet: fleet.step(-1),
    }

    def on_signal(number: signal.Signals) -> None:
        now = fleet()
        if now is None:
            log.warning(
                "service.signal_ignored",
                extra={"signal": number.name, "reason": "the service is starting or stopping; send it again later"},
            )
            return
        log.info("service.signal", extra={"signal": number.name})
        acts[number](now)

    for number in acts:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in acts:
            loop.remove_signal_handler(number)


def _reload(fleet: Fleet) -> None:
    # The refusal is in the log already, and a signal has no other answer.
    with contextlib.suppress(ReloadRefused):
        fleet.reload()
