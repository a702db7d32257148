"""The one family of exceptions of the language: what went wrong, and where in which text.

Raised by every other module of the package, caught by engines and command lines. Invariant: whatever text is given
to the parser, a getter or the loader, only `HeroScriptError` and its subclasses come out.
"""

from __future__ import annotations

from typing import Any

from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Place, Severity


class HeroScriptError(Exception):
    """Root of all errors of the package; carries data and builds its text from it.

    Args:
        message: what is wrong, without the place.
        place: where in the source text; None when the value never was in a text.
        text: the offending piece of source, as written.
        hint: what the author may have meant, "" if nothing comes to mind.
        code: short stable name of the rule that was broken.
    """

    default_code = "error"

    def __init__(
        self, message: str, *, place: Place | None = None, text: str = "", hint: str = "", code: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.text = text
        self.hint = hint
        self.code = code or self.default_code

    @property
    def path(self) -> str:
        """Name of the source, "" when it has none."""
        return self.place.path if self.place else ""

    @property
    def line(self) -> int:
        """1-based line, 0 when unknown."""
        return self.place.line if self.place else 0

    @property
    def column(self) -> int:
        """1-based column in characters, 0 when unknown."""
        return self.place.column if self.place else 0

    @property
    def diagnostic(self) -> Diagnostic:
        """The same facts as data, for printing like a compiler does."""
        return Diagnostic(
            severity=Severity.ERROR,
            code=self.code,
            message=self.message,
            place=self.place,
            text=self.text,
            hint=self.hint,
        )

    def render(self) -> str:
        """The message with its source line, a caret and the hint, over several lines."""
        return self.diagnostic.render()

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Script runs live in child processes: the default reduction loses keyword-only data on the way back.
        data = {"place": self.place, "text": self.text, "hint": self.hint, "code": self.code}
        return _rebuild, (type(self), self.message, data)


class ParseError(HeroScriptError):
    """The text is not HeroScript."""

    default_code = "syntax"


class ParamError(HeroScriptError):
    """A parameter or argument is missing or is not what a getter asked for."""

    default_code = "param"


class SelectError(HeroScriptError):
    """A filter found no action, too many actions, or actions not yet done."""

    default_code = "select"


class LoadError(HeroScriptError):
    """A file, folder or include cannot be read."""

    default_code = "load"


def _rebuild(kind: type[HeroScriptError], message: str, data: dict[str, Any]) -> HeroScriptError:
    return kind(message, **data)
