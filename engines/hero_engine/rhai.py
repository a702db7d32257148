"""The Rhai engine: a thin adapter over the wheel `rhai-py`.

It only translates: our limits to the wheel's, the wheel's results and exceptions to our outcomes. It is on the hot path
of every job, so it caches what it can.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from hero_engine.engine import Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.output import present_value

try:
    import rhai
except ImportError as e:
    raise EngineUnavailable(
        "rhai",
        f"the wheel 'rhai-py' does not import: {e}",
        "Build and install it with scripts/setup, or install the extra 'hero-runtime[rhai]'.",
        missing=isinstance(e, ModuleNotFoundError),
    ) from e

if TYPE_CHECKING:
    from rhai import Run

#: Size of the cache of translated limits. The jobs of one deployment use a handful of different timeouts; a caller who
#: uses a new one for every job only causes the cache to be cleared.
_MAX_CACHED_LIMITS = 256


class RhaiEngine:
    """Runs Rhai scripts. The wheel caches compiled scripts by their source."""

    __slots__ = ("_engine", "_limits_cache", "_running")

    name = "rhai"

    def __init__(self) -> None:
        self._engine = rhai.Engine()
        self._limits_cache: dict[Limits, rhai.Limits] = {}
        # A registered function belongs to the engine, not to a run, so it finds its script's log by its thread.
        self._running = threading.local()
        self._engine.register("progress", self._progress)

    def _progress(self, done: int | float, total: int | float, text: str = "") -> None:
        log: RunLog | None = self._running.log
        if log is not None:
            log.progress(float(done), float(total), text)

    @property
    def version(self) -> str:
        """Version of the wheel."""
        return rhai.__version__

    def check(self, script: Script) -> Failed | None:
        """Compile the script without running it."""
        try:
            self._engine.compile(script.source, script.name or None)
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
        self._running.log = log
        try:
            value = self._engine.eval(
                script.source,
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
            return _failed(e)
        return present_value(value)

    def _translate(self, limits: Limits) -> rhai.Limits:
        if len(self._limits_cache) >= _MAX_CACHED_LIMITS:
            self._limits_cache.clear()
        native = rhai.Limits(timeout_s=limits.timeout_s, operations=limits.operations, memory_bytes=limits.memory_bytes)
        self._limits_cache[limits] = native
        return native


def create_engine() -> RhaiEngine:
    """Make the engine. The registry calls this for `rhai`."""
    return RhaiEngine()


def _failed(error: rhai.RhaiError) -> Failed:
    permanent = isinstance(error, rhai.RhaiParseError)
    return Failed(error.kind, error.message, error.line, error.column, permanent)
