"""The errors of commands that go through a server instead of the store."""

from __future__ import annotations

from hero_job.model.errors import HeroJobError


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
    """A command needs the store itself."""

    def __str__(self) -> str:
        return "this needs the store itself: run it without --server and --profile, on a host that reaches the store"
