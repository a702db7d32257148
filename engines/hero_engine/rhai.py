"""The Rhai engine: a thin adapter over the wheel `rhai-py`.

It only translates: our limits to the wheel's, the wheel's results and exceptions to our outcomes. It is on the hot path
of every job, so it caches what it can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, StoreAccess, TimedOut
from hero_engine.errors import CallEnded, EngineUnavailable, explain_blank
from hero_engine.host.places.scratch import clean_left_scratch
from hero_engine.output import present_value
from hero_engine.rights import ScriptRights

try:
    import rhai
except ImportError as e:
    raise EngineUnavailable(
        "rhai",
        f"the wheel 'rhai-py' does not import: {e}",
        "Install it from the folder of the wheels: pip install --no-index --find-links FOLDER rhai-py. In a clone, run "
        "scripts/setup.",
        missing=isinstance(e, ModuleNotFoundError),
    ) from e

if TYPE_CHECKING:
    from hero_engine.rhai_functions import RhaiFunctions, RunningScript
    from rhai import Run

#: The kind of an error that a function has thrown and the script has not caught.
FUNCTION_FAILED = "function_failed"

#: Size of the cache of translated limits. The jobs of one deployment use a handful of different timeouts; a caller who
#: uses a new one for every job only causes the cache to be cleared.
_MAX_CACHED_LIMITS = 256
#: How many scripts are remembered by whether they mention a function. The wheel keeps fewer compiled ones.
_MAX_REMEMBERED = 1024


class RhaiEngine:
    """Runs Rhai scripts. The wheel caches compiled scripts by their source."""

    __slots__ = ("_access", "_engine", "_functions", "_limits_cache", "_lock", "_plain", "_prepared", "_rights")

    name = "rhai"

    def __init__(self) -> None:
        self._engine = rhai.Engine()
        self._limits_cache: dict[Limits, rhai.Limits] = {}
        self._rights = ScriptRights()
        self._access: StoreAccess | None = None
        self._functions: RhaiFunctions | None = None
        # By their hashes, because the texts of many scripts would fill the memory.
        self._plain: set[int] = set()  # scripts that mention no function
        self._prepared: set[int] = set()  # scripts whose functions are registered
        self._lock = threading.Lock()

    def give_access(self, access: StoreAccess) -> None:
        """Receive the access to the store that functions use."""
        self._access = access
        if self._functions is not None:
            self._functions.access = access

    def give_rights(self, rights: ScriptRights) -> None:
        """Receive what functions may do. Families of other distributions are loaded now.

        The scratch folders of actors that have died are removed.
        """
        clean_left_scratch()
        self._rights = rights
        if rights.run:
            from hero_engine.host.programs import program_path

            for name in rights.run:
                program_path(name)
        if rights.families or (rights.objects is not None and rights.objects.schemas):
            self._load_functions()  # now, so that a mistake of the operator is found at the start

    @property
    def version(self) -> str:
        """Version of the wheel."""
        return rhai.__version__

    def check(self, script: Script) -> Failed | None:
        """Compile the script without running it."""
        try:
            self._engine.compile(script.text, script.name or None)
        except rhai.RhaiError as e:
            return _failed(e)
        return None

    def new_run(self) -> RunHandle:
        """Make the handle for one call of `run`."""
        return rhai.Run()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script. The wheel releases the interpreter lock meanwhile."""
        native_run = cast("Run", run)
        native_limits = self._limits_cache.get(limits) or self._translate(limits)
        running = None if hash(script.source) in self._plain else self._prepare(script, constants, native_run, log)
        if running is not None and log is not None:
            log = running
        try:
            value = self._engine.eval(
                script.text,
                constants=constants,
                limits=native_limits,
                run=native_run,
                on_print=None if log is None else lambda text, _at: log.line("info", text),
                on_debug=None if log is None else lambda text, _at: log.line("debug", text),
            )
        except rhai.RhaiTimeoutError:
            return TimedOut(limits.timeout_s)
        except rhai.RhaiCancelledError:
            return Stopped()
        except rhai.RhaiError as e:
            failed = _failed(e, running.thrown if running is not None else None)
            return failed if running is None else replace(failed, message=running.masked(failed.message))
        except CallEnded as e:
            return Stopped() if e.stopped else TimedOut(limits.timeout_s)
        finally:
            if running is not None:
                running.close()
        outcome = present_value(value)
        if running is not None and running.call is not None and running.call.masks:
            return _masked(outcome, running.masked)
        return outcome

    def _prepare(
        self, script: Script, constants: Mapping[str, object], run: Run, log: RunLog | None
    ) -> RunningScript | None:
        """Register the functions that a script mentions, and prepare its run for them; None if it mentions none."""
        functions = self._functions
        if hash(script.source) not in self._prepared:
            from hero_engine.host.family_index import WORD, mentions_function, mentions_objects

            words = set(WORD.findall(script.source))
            if functions is None and (
                mentions_function(words) or (self._rights.objects is not None and mentions_objects(words))
            ):
                functions = self._load_functions()
            if functions is None or not functions.prepare(words):
                _remember(self._plain, script.source)
                return None
            _remember(self._prepared, script.source)
        assert functions is not None
        return functions.start(constants, run, log)

    def _load_functions(self) -> RhaiFunctions:
        from hero_engine.rhai_functions import RhaiFunctions

        with self._lock:
            if self._functions is None:
                objects = None
                if self._rights.objects is not None:
                    from hero_engine.host.objects.object_family import load_family

                    objects = load_family(self._rights.objects)
                self._functions = RhaiFunctions(self._engine, self._rights, self._access, objects)
        return self._functions

    def _translate(self, limits: Limits) -> rhai.Limits:
        if len(self._limits_cache) >= _MAX_CACHED_LIMITS:
            self._limits_cache.clear()
        native = rhai.Limits(
            timeout_s=limits.timeout_s,
            operations=limits.operations,
            memory_bytes=limits.memory_bytes,
            result_bytes=limits.result_bytes,
        )
        self._limits_cache[limits] = native
        return native


def create_engine() -> RhaiEngine:
    """Make the engine. The registry calls this for `rhai`."""
    return RhaiEngine()


def _remember(scripts: set[int], source: str) -> None:
    if len(scripts) >= _MAX_REMEMBERED:
        scripts.clear()
    scripts.add(hash(source))


def _masked(outcome: Outcome, hide: Callable[[str], str]) -> Outcome:
    """Hide the secrets that a script has read in what it returns."""
    if isinstance(outcome, Done):
        return Done(hide(outcome.output), None if outcome.output_json is None else hide(outcome.output_json))
    return replace(outcome, message=hide(outcome.message)) if isinstance(outcome, Failed) else outcome


def _failed(error: rhai.RhaiError, thrown: str | None = None) -> Failed:
    """Make an outcome of an error.

    Args:
        error: The error.
        thrown: The text that a function has thrown last; an uncaught error with this text is the function's.
    """
    if thrown is not None and error.value == thrown:
        return Failed(FUNCTION_FAILED, thrown, error.line, error.column)
    permanent = isinstance(error, rhai.RhaiParseError)
    message = explain_blank(error.message) if permanent else error.message
    # One kind for all engines.
    kind = "result_too_large" if error.kind == "ResultTooLarge" else error.kind
    return Failed(kind, message, error.line, error.column, permanent)
