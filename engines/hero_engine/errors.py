"""Every exception that this package raises for its callers.

    HeroEngineError
    +-- EngineUnavailable   the engine is unknown, not installed, or does not load
    +-- AccessRefused       the actor refuses a script's request to the store
    +-- RightsInvalid       the table of rights that the actor was given is none
    +-- FunctionError       a function for scripts refuses or fails; the script can catch its text
        +-- FunctionRefused     the operator has not allowed what it should do

A failing script raises none of them: it is an `Outcome`. `CallEnded` is no error: it ends a run from within a function.
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


class RightsInvalid(HeroEngineError):
    """What an actor was given as its table of rights is none.

    Args:
        reason: What is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"HERO_ALLOW is no table of rights: {self.reason}; it is made from [actors.allow]"


class FunctionError(HeroEngineError):
    """A function for scripts refuses or fails. The script catches the text, with the prefix of the function's family.

    Args:
        text: What went wrong, for the script's author. It never names what the script may not see.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class FunctionRefused(FunctionError):
    """The operator has not allowed what a function should do. The text is what the script catches, without a prefix."""


class OverloadDeclined(Exception):
    """A function is not meant after all, although the types of its arguments fit; the next one of its name is tried."""


class CallEnded(BaseException):
    """The run must end now: it was stopped, or its time is up. Functions let it pass; scripts cannot catch it.

    Args:
        stopped: Somebody stopped the run; otherwise its time is up.
    """

    def __init__(self, *, stopped: bool) -> None:
        super().__init__(stopped)
        self.stopped = stopped


def explain_blank(message: str) -> str:
    """Say which character an error of the parser is about that looks like a blank and is none."""
    odd = next((c for c in message if ord(c) > 127 and (c.isspace() or c in "\u200b\ufeff")), None)
    if odd is None:
        return message
    return f"{message.replace(odd, '')}: U+{ord(odd):04X} looks like a blank and is none; replace it by a blank"
