"""Every exception that this package raises.

    HeroEngineError
    +-- EngineUnavailable   the engine is unknown, not installed, or does not load
    +-- AccessRefused       the actor does not do what a script asks of the store

A script that fails is none of them: it is an `Outcome`.
"""

from __future__ import annotations


class HeroEngineError(Exception):
    """Root of all errors of this package."""


class EngineUnavailable(HeroEngineError):
    """An engine is unknown, not installed, or does not load: no job can be run with it.

    Args:
        name: The engine asked for.
        reason: What is wrong.
        remedy: What to do about it, as a sentence for an operator.
        missing: It is a thing to install, and works as soon as it is there: nothing else is wrong.
    """

    def __init__(self, name: str, reason: str, remedy: str, *, missing: bool = False) -> None:
        super().__init__(name, reason, remedy)
        self.missing = missing
        self.name = name
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"engine '{self.name}' is not available: {self.reason}. {self.remedy}"


class AccessRefused(HeroEngineError):
    """The actor does not do, or cannot do, what a script asks of the store.

    Args:
        reason: Why, as a sentence for the script's author.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
