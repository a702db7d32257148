"""The native half of the package. Editors read the documentation of its classes here."""

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
    "builtin_functions",
    "remaining_s",
]

def remaining_s() -> float | None:
    """Seconds that are left to the evaluation whose callback is running on this thread.

    Returns:
        `None` outside of a callback, and if the evaluation has no timeout.
    """

def builtin_functions() -> list[tuple[str, list[str]]]:
    """The built-in functions of scripts.

    Returns:
        The name of each and the types of its parameters; `?` stands for a type that a script cannot name.
    """

@final
class Limits:
    """The limits of one evaluation: an immutable value, compared and hashed by its fields.

    Args:
        timeout_s: Wall-clock seconds, including parsing and `sleep`. `None`: no timeout.
        operations: Operations of the Rhai engine, including those in callbacks of `map`, `sort` and similar functions.
            `None`: no limit.
        memory_bytes: Bytes that the script may hold at the same time. `None`: no limit.
        call_levels: Depth of nested calls of script functions.
        expr_depth: Nesting depth of expressions and blocks in the source.
        output_bytes: Bytes of `print` and `debug` text that a `Run` collects. The rest is cut off without an error.
            Also the bytes of one text that a callback gets; a longer one is cut and ends in its length.
        string_bytes: Bytes of one string. `None`: no limit.
        array_items: Items of one array, or bytes of one blob. `None`: no limit.
        map_items: Items of all object maps together. `None`: no limit.
        result_bytes: Size of a value that leaves the script, as its result or as an argument of a callback: bytes of
            text as in JSON, and at least 8 for each value in it. `None`: no limit.

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
        result_bytes: int | None = None,
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
    @property
    def result_bytes(self) -> int | None: ...
    def replace(self, **changes: float | None) -> Limits:
        """Return a copy with some of the limits changed.

        Args:
            changes: New values by the names of the limits.

        Raises:
            TypeError: There is no limit of that name.
            ValueError: A limit is zero, negative or not a number.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Usage:
    """What an evaluation has used."""

    @property
    def operations(self) -> int:
        """Operations of the Rhai engine, callbacks included."""

    @property
    def elapsed_s(self) -> float:
        """Wall-clock seconds; 0 until the evaluation has ended."""

    @property
    def peak_bytes(self) -> int:
        """The most bytes that the script, or its parser, has held at the same time."""

    @property
    def output_bytes(self) -> int:
        """Bytes of text that the script printed, including those that were cut off."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]  # how typeshed marks a class that cannot be hashed

@final
class Run:
    """The handle of one evaluation. Create it, pass it to `Engine.eval`, and use it from any thread."""

    def __new__(cls) -> Run: ...
    def cancel(self) -> None:
        """End the evaluation at its next operation, or immediately if it sleeps. Never blocks.

        An evaluation that starts later with this handle ends before its first operation.
        """

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""

    @property
    def output(self) -> str:
        """The text of `print` and `debug` that went to no callback: at most `Limits.output_bytes` bytes of UTF-8."""

    @property
    def output_truncated(self) -> bool:
        """Whether some output was cut off."""

    @property
    def usage(self) -> Usage:
        """What the evaluation has used so far."""

@final
class Script:
    """A compiled script. It is immutable; any number of threads may evaluate it simultaneously."""

    @property
    def name(self) -> str | None:
        """The name that was given to `Engine.compile`."""

    @property
    def source(self) -> str:
        """The source text."""

@final
class Function:
    """A function pointer or closure of a script, as a callable.

    A call runs under the limits of the engine that made it. A call from a callback shares the deadline of the
    evaluation around it.
    """

    @property
    def name(self) -> str:
        """The name of the function; a closure has a generated one."""

    def __call__(self, *args: Any) -> Any:
        """Call the function.

        Args:
            args: Its arguments, converted like constants.

        Returns:
            Its value, converted like the result of `Engine.eval`.

        Raises:
            RhaiError: The function failed; the subclasses are those of `Engine.eval`.
        """

@final
class Timestamp:
    """A moment of a script's monotonic clock. It cannot be converted to a time of day."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since that moment; negative if it is in the future."""

@final
class FolderModules:
    """Modules that are files below one folder, which scripts cannot leave.

    A module name is a relative path without `.` and `..`. Symbolic links below the folder are not followed. A module
    that imports itself, directly or through others, is an error. A module is compiled again when its file has changed.

    Args:
        root: The folder. A relative path is resolved now.
        extension: The extension of the files, without its dot.

    Raises:
        OSError: `root` does not exist or is not a folder.
    """

    def __new__(cls, root: str | PathLike[str], *, extension: str = "rhai") -> FolderModules: ...

@final
class MemoryModules:
    """Modules whose texts are in memory.

    Args:
        texts: Source texts by module name.
    """

    def __new__(cls, texts: Mapping[str, str]) -> MemoryModules: ...

@final
class Engine:
    """Compiles and evaluates scripts. Any number of threads may share one engine.

    Args:
        limits: The limits of calls that pass none. Default: `Limits()`.
        cached_scripts: How many compiled scripts `eval` keeps by their source; 0 keeps none.
        functions: Callables by name, registered as by `register`.
        modules: Where `import` finds modules. Without it, every import fails.
        allow_eval: Whether scripts may call `eval`. If not, a script that mentions it does not parse.
        allow_import: Whether scripts may `import`. If not, a script that mentions it does not parse.

    Raises:
        ValueError: The name of a function is not an identifier.
        TypeError: One of `functions` needs arguments that a script cannot pass, or `modules` is something else.
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
        """The limits of calls that pass none."""

    def compile(self, source: str, name: str | None = None) -> Script:
        """Compile a script.

        Args:
            source: The text of the script.
            name: The name of the script in errors.

        Returns:
            The compiled script, which any engine can evaluate.

        Raises:
            RhaiParseError: The script is not valid Rhai.
            RhaiLimitError: Parsing exceeded a limit of the engine.
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
        """Evaluate a script to its value. Other Python threads can run meanwhile.

        Args:
            script: A compiled script, or source text, which is compiled once and kept in a bounded cache.
            constants: Values by name, visible in the whole script, its functions, closures and imported modules.
            limits: Limits for this call instead of the engine's.
            run: A handle that cancels the evaluation and has its usage and output. It serves one evaluation.
            on_print: Called with each text of `print` and its position, instead of collecting the text.
            on_debug: The same for `debug`.

        Returns:
            The value of the script, converted as the table in the README says.

        Raises:
            RhaiParseError: The script is not valid Rhai.
            RhaiRuntimeError: The script failed.
            RhaiTimeoutError: The script ran longer than `timeout_s`.
            RhaiCancelledError: `run.cancel()` was called.
            RhaiLimitError: The script exceeded another limit.
            RhaiModuleError: A module that the script imports cannot be loaded.
            RhaiConversionError: A constant or the result has no counterpart on the other side.
            RhaiInternalError: Native code panicked.
            RuntimeError: `run` was used before.
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
        """Call a function of a script without running the script's body.

        Args:
            script: A compiled script or source text, as for `eval`.
            function: The name of the function.
            args: Its arguments, converted like constants.
            constants: As for `eval`.
            limits: As for `eval`.
            run: As for `eval`.
            on_print: As for `eval`.
            on_debug: As for `eval`.

        Returns:
            The value of the function, converted like the result of `eval`.

        Raises:
            RhaiRuntimeError: The function failed, or no function of that name takes so many arguments.
            RhaiError: The other subclasses as for `eval`.
            RuntimeError: `run` was used before.
        """

    def check(self, source: str, *, constants: Iterable[str] | None = None) -> list[Diagnostic]:
        """Find out what is wrong with a script without running it.

        Args:
            source: The text of the script.
            constants: The names of the constants that the script will get.

        Returns:
            The first problem. Empty if the script parses and uses no unknown variable.
        """

    def register(self, name: str, function: Callable[..., Any], *, module: str | None = None) -> None:
        """Let scripts call a Python function. Evaluations that are already running do not see it.

        The signature decides how many arguments the function takes, and the annotations decide their types. Another
        function of the same name is an overload, which is tried first. A script can catch an exception of the function.
        If it does not, `eval` raises that exception with the attributes `rhai_position` and `rhai_frames`. An exception
        that does not derive from `Exception` ends the run.

        Args:
            name: The name by which scripts call the function.
            function: A callable with at most 12 parameters.
            module: If given, scripts call `module::name`.

        Raises:
            ValueError: `name` or `module` is not an identifier.
            TypeError: `function` is not a callable, or needs arguments that a script cannot pass.
        """

    def register_module(self, module: str, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Register several functions in one module, each as by `register`.

        Args:
            module: Scripts call `module::name`.
            functions: Callables by name.
        """

    def definitions(self) -> str:
        """Return the registered functions as the text of a `.d.rhai` file, which Rhai's language server reads."""

    def cache_info(self) -> CacheInfo:
        """Return how the cache of compiled scripts is used."""

    def clear_cache(self) -> None:
        """Remove every compiled script from the cache."""
