"""The exceptions of the package, and the tuples that describe places in a script.

This module owns the class hierarchy and how errors print; the native module creates the instances. Invariant: every
error has every attribute (`None` or empty where it does not apply), so callers never need `getattr`.
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
    "Throw",
]


class Position(NamedTuple):
    """A place in a script. A part that is not known is `None`.

    Attributes:
        source: The name of the script or module.
        line: The line, counted from 1.
        column: The column in characters, counted from 1.
    """

    source: str | None
    line: int | None
    column: int | None


class Diagnostic(NamedTuple):
    """A problem that `Engine.check` found. A part that is not known is `None`.

    Attributes:
        kind: The name of Rhai's parse error, such as `MissingToken`.
        message: What is wrong, in one line.
        line: The line, counted from 1.
        column: The column in characters, counted from 1.
        source_line: The text of that line.
    """

    kind: str
    message: str
    line: int | None
    column: int | None
    source_line: str | None


class Frame(NamedTuple):
    """One call on the way to an error.

    Attributes:
        function: The name of the function that was called.
        source: The name of the script or module that called it.
        line: The line of the call, counted from 1.
        column: The column of the call in characters, counted from 1.
    """

    function: str
    source: str | None
    line: int | None
    column: int | None


class CacheInfo(NamedTuple):
    """How an engine's cache of compiled scripts is used.

    Attributes:
        hits: Lookups that found a compiled script.
        misses: Lookups that did not.
        size: The number of scripts in the cache.
        capacity: The most scripts that the cache keeps.
    """

    hits: int
    misses: int
    size: int
    capacity: int


class RhaiError(Exception):
    """A script did not parse, failed, or was stopped. The root of all errors of this package.

    Args:
        message: What went wrong, in one line, without the place.
        kind: The name of Rhai's own error variant, such as `ErrorVariableNotFound`; for a parse error the name of the
            parse error, such as `MissingToken`.
        line: The line of the error, counted from 1.
        column: The column of the error in characters, counted from 1.
        source: The name of the script or module.
        function: The name of the innermost function that was running.
        frames: The calls that led to the error, outermost first.
        value: What the script threw, converted to Python.
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
                # Keep the tabs before the column, so that the caret is below its character.
                before = self.source_line[: max((self.column or 1) - 1, 0)]
                indent = "".join("\t" if char == "\t" else " " for char in before)
                lines += [f"{margin} |", f"{self.line} | {self.source_line}", f"{margin} | {indent}^"]
        for frame in reversed(self.frames):
            place = f" at {frame.source or '<script>'}:{frame.line}:{frame.column}" if frame.line is not None else ""
            lines.append(f" in call of {frame.function}{place}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default reduction loses keyword-only attributes, and errors are sent to other processes.
        return _rebuild, (type(self), self.message, {**self.__dict__})


def attach(error: BaseException, at: Position, frames: tuple[Frame, ...]) -> None:
    """Add the place in the script to an exception that a callback raised.

    Args:
        error: Gets the attributes `rhai_position` and `rhai_frames`, and a note that tracebacks show.
        at: Where the script called the callback.
        frames: The calls that led there, outermost first.

    Raises:
        AttributeError: The class of `error` is frozen or has slots.
    """
    for name, value in (("rhai_position", at), ("rhai_frames", frames)):
        setattr(error, name, value)
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
    """The script exceeded a limit: operations, memory, call levels or another one."""


class RhaiTimeoutError(RhaiLimitError, TimeoutError):
    """The script ran longer than `Limits.timeout_s`."""


class RhaiCancelledError(RhaiError):
    """`Run.cancel()` ended the script."""


class RhaiModuleError(RhaiError):
    """A module that the script imports was not found or could not be loaded."""


class RhaiConversionError(RhaiError, ValueError):
    """A value has no counterpart on the other side; the message names the path to it."""


class RhaiInternalError(RhaiError):
    """Native code panicked, which is a bug in the Rhai crate or in this package. The process goes on."""


class Throw(Exception):
    """Raised by a callback, throws a value into the script, as the script's own `throw` does.

    A script that catches it gets the value itself. If no script catches it, `eval` raises a `RhaiRuntimeError` of kind
    `ErrorRuntime` that has the value and the place of the call.

    Attributes:
        value: What the script catches; anything that can be a result of a callback.
    """

    def __init__(self, value: Any) -> None:
        """Make the exception.

        Args:
            value: What the script catches.
        """
        super().__init__(value)
        self.value = value
