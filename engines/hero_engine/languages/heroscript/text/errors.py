"""The exceptions of the language: what is wrong, and where in which text.

All modules of the language raise them; engines and command lines catch them. For any text that is given to the parser,
a getter or the loader, no exception other than `HeroScriptError` and its subclasses is raised.
"""

from __future__ import annotations

from typing import Any

from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Place, Severity


class HeroScriptError(Exception):
    """Root of all errors of the language. It carries data and builds its text from it.

    Args:
        message: What is wrong, without the place.
        place: Where in the source text; None if the value never was in a text.
        text: The piece of source in question, as written.
        hint: What the author may have meant, or "".
        code: Short stable name of the rule that was broken.
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
        """Name of the source, "" if it has none."""
        return self.place.path if self.place else ""

    @property
    def line(self) -> int:
        """1-based line, 0 if unknown."""
        return self.place.line if self.place else 0

    @property
    def column(self) -> int:
        """1-based column in characters, 0 if unknown."""
        return self.place.column if self.place else 0

    @property
    def diagnostic(self) -> Diagnostic:
        """The same facts as data, to be shown as a compiler does."""
        return Diagnostic(
            severity=Severity.ERROR,
            code=self.code,
            message=self.message,
            place=self.place,
            text=self.text,
            hint=self.hint,
        )

    def render(self) -> str:
        """Format the message with its source line, a caret and the hint, on several lines."""
        return self.diagnostic.render()

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # The default reduction would lose the keyword-only data when an error is sent from one process to another.
        data = {"place": self.place, "text": self.text, "hint": self.hint, "code": self.code}
        return _rebuild, (type(self), self.message, data)


class ParseError(HeroScriptError):
    """The text is not HeroScript."""

    default_code = "syntax"


class ParamError(HeroScriptError):
    """A parameter or argument is missing, or is not what a getter asked for."""

    default_code = "param"


class SelectError(HeroScriptError):
    """A filter matches no action, too many actions, or actions that are not done yet."""

    default_code = "select"


class LoadError(HeroScriptError):
    """A file, folder or include cannot be read."""

    default_code = "load"


def _rebuild(kind: type[HeroScriptError], message: str, data: dict[str, Any]) -> HeroScriptError:
    return kind(message, **data)
