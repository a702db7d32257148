"""The native half of the package; the documentation of its classes lives here, where editors read it."""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, final

from rhai._errors import CacheInfo, Diagnostic, Position

__all__ = [
    "Engine",
    "FolderModules",
    "Function",
    "Limits",
    "MemoryModules",
    "Run",
    "Script",
    "Timestamp",
    "Usage",
    "remaining_s",
]

def remaining_s() -> float | None:
    """Seconds that the evaluation has left whose callback is running on this thread.

    Returns:
        `None` outside of a callback, and where there is no timeout.
    """

@final
class Limits:
    """The limits of one evaluation; an immutable value, equal and hashable by its fields.

    Args:
        timeout_s: Wall-clock seconds, also while the script sleeps. `None`: no timeout.
        operations: Operations of the engine, those of callbacks of `map`, `sort` and the like included.
        memory_bytes: Live bytes that the script may hold.
        call_levels: Depth of nested calls of script functions.
        expr_depth: Nesting depth of expressions and blocks that the parser accepts.
        output_bytes: Bytes of collected `print` and `debug` text; what is beyond is cut off, not an error.
        string_bytes: Bytes of one string.
        array_items: Items of one array, or bytes of one blob.
        map_items: Items of object maps.

    Raises:
        ValueError: A limit is zero, negative or not a number.
    """

    def __new__(
        cls,
        timeout_s: float | None = None,
        operations: int | None = None,
        memory_bytes: int | None = None,
        call_levels: int = 64,
        expr_depth: int = 64,
        output_bytes: int = 1_048_576,
        string_bytes: int | None = None,
        array_items: int | None = None,
        map_items: int | None = None,
    ) -> Limits: ...
    @property
    def timeout_s(self) -> float | None: ...
    @property
    def operations(self) -> int | None: ...
    @property
    def memory_bytes(self) -> int | None: ...
    @property
    def call_levels(self) -> int: ...
    @property
    def expr_depth(self) -> int: ...
    @property
    def output_bytes(self) -> int: ...
    @property
    def string_bytes(self) -> int | None: ...
    @property
    def array_items(self) -> int | None: ...
    @property
    def map_items(self) -> int | None: ...
    def replace(self, **changes: float | None) -> Limits:
        """The same limits with some of them changed.

        Raises:
            TypeError: There is no limit of that name.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Usage:
    """What an evaluation has used."""

    @property
    def operations(self) -> int:
        """Operations of the engine, callbacks included."""

    @property
    def elapsed_s(self) -> float:
        """Wall-clock seconds; 0 while it runs."""

    @property
    def peak_bytes(self) -> int:
        """The most bytes that the script, or its parser, has held at once."""

    @property
    def output_bytes(self) -> int:
        """Bytes that were printed, also those that were cut off."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Run:
    """The handle of one evaluation: made before it, given to `Engine.eval`, usable from any thread."""

    def __new__(cls) -> Run: ...
    def cancel(self) -> None:
        """End the evaluation: at its next operation, or at once in `sleep`; also before it has begun. Never blocks."""

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""

    @property
    def output(self) -> str:
        """The text of `print` and `debug` that went to no callback, at most `Limits.output_bytes` of it."""

    @property
    def output_truncated(self) -> bool:
        """Whether output was cut off."""

    @property
    def usage(self) -> Usage:
        """What the evaluation has used so far."""

@final
class Script:
    """A compiled script. Immutable; any number of threads may evaluate it at once."""

    @property
    def name(self) -> str | None:
        """The name that was given to `Engine.compile`."""

    @property
    def source(self) -> str:
        """The text."""

@final
class Function:
    """A function pointer or closure of a script. Calling it runs it under the limits of its engine; in a callback it
    shares the deadline of the run around it.
    """

    @property
    def name(self) -> str:
        """Its name; that of a closure is made up."""

    def __call__(self, *args: Any) -> Any: ...

@final
class Timestamp:
    """A moment of a script's clock, which has no meaning on the wall clock."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since that moment."""

@final
class FolderModules:
    """Modules that are files below one folder, which scripts cannot leave.

    Names are relative paths without `.` and `..`; symbolic links below the folder are not followed; a module that
    imports itself is an error. A module is compiled again when its file has changed.

    Args:
        root: The folder.
        extension: Added to each name.

    Raises:
        OSError: `root` is not a folder.
    """

    def __new__(cls, root: str | PathLike[str], *, extension: str = "rhai") -> FolderModules: ...

@final
class MemoryModules:
    """Modules that are given as texts by name."""

    def __new__(cls, texts: Mapping[str, str]) -> MemoryModules: ...

@final
class Engine:
    """Limits, functions, modules and a cache of compiled scripts. Safe and cheap to share by many threads.

    Args:
        limits: What holds where a call gives no limits.
        cached_scripts: How many compiled scripts `eval` keeps by their source; 0 keeps none.
        functions: Callables by name, as for `register`.
        modules: Where `import` finds modules; without it each import fails.
        allow_eval: Whether scripts may call `eval`; if not, one that names it does not parse.
        allow_import: Whether scripts may `import`; if not, one that names it does not parse.
    """

    def __new__(
        cls,
        *,
        limits: Limits | None = None,
        cached_scripts: int = 256,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        modules: FolderModules | MemoryModules | None = None,
        allow_eval: bool = True,
        allow_import: bool = True,
    ) -> Engine: ...
    @property
    def limits(self) -> Limits:
        """The limits that hold where a call gives none."""

    def compile(self, source: str, name: str | None = None) -> Script:
        """Compile a script.

        Args:
            source: Its text.
            name: What errors and frames call it.

        Raises:
            RhaiParseError: It is not valid Rhai.
        """

    def eval(
        self,
        script: Script | str,
        *,
        constants: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        run: Run | None = None,
        on_print: Callable[[str, Position], object] | None = None,
        on_debug: Callable[[str, Position], object] | None = None,
    ) -> Any:
        """Evaluate a script to its value. The interpreter lock is free while it runs.

        Args:
            script: A compiled script, or text, which is compiled once and kept in a bounded cache.
            constants: Names that the whole script sees, also its functions, closures and imported modules.
            limits: Instead of the engine's.
            run: Handle to cancel by, and where usage and output are found; serves one evaluation.
            on_print: Called with the text and its position instead of collecting it.
            on_debug: The same for `debug`.

        Returns:
            The value of the script, converted by the table in the README.

        Raises:
            RhaiParseError: It is not valid Rhai.
            RhaiRuntimeError: It failed.
            RhaiTimeoutError: It ran past `timeout_s`.
            RhaiCancelledError: `run.cancel()` was called.
            RhaiLimitError: It used up another limit.
            RhaiModuleError: A module that it imports cannot be loaded.
            RhaiConversionError: A constant or the result has no counterpart on the other side.
            RuntimeError: `run` has been used before.
        """

    def call(
        self,
        script: Script | str,
        function: str,
        *args: Any,
        constants: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        run: Run | None = None,
        on_print: Callable[[str, Position], object] | None = None,
        on_debug: Callable[[str, Position], object] | None = None,
    ) -> Any:
        """Call a function of a script without running its body. Otherwise as `eval`.

        Raises:
            RhaiRuntimeError: Also if there is no function of that name with so many parameters.
        """

    def check(self, source: str, *, constants: Iterable[str] | None = None) -> list[Diagnostic]:
        """Say what is wrong with a script without running it.

        Args:
            source: Its text.
            constants: Names that it will be given.

        Returns:
            Empty if it parses and uses no unknown variable; else what was found first.
        """

    def register(self, name: str, function: Callable[..., Any], *, module: str | None = None) -> None:
        """Let scripts call a Python function; evaluations that have begun do not see it.

        The number of arguments follows its signature, their types its annotations. Registering the same name again
        adds an overload, which is tried first. An exception can be caught by the script; uncaught it comes out of
        `eval` as it is, with the attributes `rhai_position` and `rhai_frames`. One that is no `Exception` ends the run.

        Args:
            name: What scripts call it.
            function: Takes at most 12 arguments.
            module: Scripts write `module::name`.

        Raises:
            ValueError: The name is not one that a script can call.
            TypeError: Not a callable, or one that takes what a script cannot give.
        """

    def register_module(self, module: str, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Register each of `functions` in `module`."""

    def definitions(self) -> str:
        """The registered functions as a `.d.rhai` file, which Rhai's language server reads."""

    def cache_info(self) -> CacheInfo:
        """Hits, misses, size and capacity of the cache of compiled scripts."""

    def clear_cache(self) -> None:
        """Forget the compiled scripts of the cache."""
