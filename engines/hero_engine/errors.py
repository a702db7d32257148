"""Every exception that this package raises for its callers.

    HeroEngineError
    +-- EngineUnavailable   the engine is unknown, not installed, or does not load
    +-- AccessRefused       the actor refuses a script's request to the store

A failing script raises none of them: it is an `Outcome`.
"""

from __future__ import annotations


class HeroEngineError(Exception):
    """Root of all errors of this package."""


class EngineUnavailable(HeroEngineError):
    """An engine is unknown, not installed, or does not load; it cannot run any job.

    Args:
        name: The requested engine.
        reason: What is wrong.
        remedy: What the operator can do, as a sentence.
        missing: The only problem is that something is not installed; the engine works once it is.
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
    """The actor refuses a script's request to the store, or cannot carry it out.

    Args:
        reason: Why, as a sentence for the script's author.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
