"""The errors of a client that goes through a supervisor instead of the store."""

from __future__ import annotations

from hero_job.model.errors import HeroJobError


class ServerUnusable(Exception):
    """The server is not named in a usable way, or gives no answer; the message says what to do.

    Args:
        text: The message.
        passes: It may be better with the next connection.
        sent: The call may have arrived.
    """

    def __init__(self, text: str, *, passes: bool = False, sent: bool = True) -> None:
        super().__init__(text)
        self.passes = passes
        self.sent = sent


class ServiceUnreachable(HeroJobError):
    """The server gives no answer."""


class ServiceRefused(HeroJobError):
    """The server answered with an error that is not one of a job.

    Args:
        code: The JSON-RPC code.
        text: Its message, and what to do.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return self.text


class StoreNeeded(HeroJobError):
    """A call needs the store itself."""

    def __str__(self) -> str:
        return (
            "this needs the store itself: on a host that reaches the store, run it without --server and --profile, or "
            "give the program the URL of the store"
        )
