"""The exceptions of the package.

Owns their hierarchy and how they print; the native module builds them with keyword arguments only. Invariant: every
attribute exists on every error, `None` or empty where it does not apply, so callers never need `getattr`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "CacheInfo",
    "Diagnostic",
    "Frame",
    "Position",
    "RhaiCancelledError",
    "RhaiConversionError",
    "RhaiError",
    "RhaiInternalError",
    "RhaiLimitError",
    "RhaiModuleError",
    "RhaiParseError",
    "RhaiRuntimeError",
    "RhaiTimeoutError",
]


class Position(NamedTuple):
    """A place in a script; each part is `None` where it is not known. Lines and columns count from 1."""

    source: str | None
    line: int | None
    column: int | None


class Diagnostic(NamedTuple):
    """Something that is wrong with a script that has not been run."""

    kind: str
    message: str
    line: int | None
    column: int | None
    source_line: str | None


class Frame(NamedTuple):
    """One call on the way to an error: which function was called, and from where."""

    function: str
    source: str | None
    line: int | None
    column: int | None


class CacheInfo(NamedTuple):
    """Use of the cache of compiled scripts."""

    hits: int
    misses: int
    size: int
    capacity: int


class RhaiError(Exception):
    """A script could not be parsed, run or finished.

    Args:
        message: What went wrong, in one line, without the place.
        kind: The name of Rhai's own error variant, such as `ErrorVariableNotFound`; for a parse error the name of the
            parse error, such as `MissingToken`.
        line: Line of the error, from 1.
        column: Column of the error, from 1.
        source: Name of the script or module.
        function: Name of the innermost function that was running.
        frames: The calls that led there, outermost first.
        value: What the script threw.
        source_line: The text of the line.

    Source: Rhai, `EvalAltResult` and `ParseErrorType`.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        line: int | None = None,
        column: int | None = None,
        source: str | None = None,
        function: str | None = None,
        frames: tuple[Frame, ...] = (),
        value: Any = None,
        source_line: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.line = line
        self.column = column
        self.source = source
        self.function = function
        self.frames = frames
        self.value = value
        self.source_line = source_line

    def __str__(self) -> str:
        lines = [self.message]
        if self.line is not None:
            lines.append(f" --> {self.source or '<script>'}:{self.line}:{self.column or 1}")
            if self.source_line is not None:
                margin = " " * len(str(self.line))
                # Tabs before the column stay tabs, so that the caret stands under its character.
                before = self.source_line[: max((self.column or 1) - 1, 0)]
                indent = "".join("\t" if char == "\t" else " " for char in before)
                lines += [f"{margin} |", f"{self.line} | {self.source_line}", f"{margin} | {indent}^"]
        for frame in reversed(self.frames):
            place = f" at {frame.source or '<script>'}:{frame.line}:{frame.column}" if frame.line is not None else ""
            lines.append(f" in call of {frame.function}{place}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only attributes do not survive the default reduction, and errors cross process borders.
        return _rebuild, (type(self), self.message, {**self.__dict__})


def attach(error: BaseException, at: Position, frames: tuple[Frame, ...]) -> None:
    """Tell an exception that a callback raised where in the script that happened.

    Args:
        error: Gets the attributes `rhai_position` and `rhai_frames`, and a note that tracebacks show.
        at: Where the script called the callback.
        frames: The calls that led there, outermost first.
    """
    error.rhai_position = at  # type: ignore[attr-defined]
    error.rhai_frames = frames  # type: ignore[attr-defined]
    lines = [f"called by script {at.source or '<script>'}:{at.line}:{at.column}"]
    lines += [f" in call of {f.function} at {f.source or '<script>'}:{f.line}:{f.column}" for f in reversed(frames)]
    error.add_note("\n".join(lines))


def _rebuild(error: type[RhaiError], message: str, state: dict[str, Any]) -> RhaiError:
    fields = dict(state)
    fields.pop("message")
    known = {name: fields.pop(name) for name in tuple(fields) if name in _FIELDS}
    rebuilt = error(message, **known)
    rebuilt.__dict__.update(fields)
    return rebuilt


_FIELDS = frozenset({"kind", "line", "column", "source", "function", "frames", "value", "source_line"})


class RhaiParseError(RhaiError):
    """The script is not valid Rhai."""


class RhaiRuntimeError(RhaiError):
    """The script failed: an unknown variable, a wrong type, a `throw`."""


class RhaiLimitError(RhaiError):
    """The script used up operations, memory, call levels or another limit."""


class RhaiTimeoutError(RhaiLimitError, TimeoutError):
    """The script ran past its deadline."""


class RhaiCancelledError(RhaiError):
    """`Run.cancel()` ended the script."""


class RhaiModuleError(RhaiError):
    """A module could not be found or loaded."""


class RhaiConversionError(RhaiError, ValueError):
    """A value has no counterpart on the other side."""


class RhaiInternalError(RhaiError):
    """A bug in the engine or in this package; the process goes on."""
