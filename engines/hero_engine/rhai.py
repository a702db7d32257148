"""The Rhai engine: a thin adapter over the wheel `rhai-py`.

All that this module adds is translation: limits and results into the wheel's terms and back, its exceptions into
outcomes. It runs once a job on the hot path, so nothing here is created that can be kept.
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

#: Different limits kept translated. Jobs of one deployment use a handful of timeouts; a stranger who uses a new one for
#: each job only makes the table start over.
_MAX_KEPT_LIMITS = 256


class RhaiEngine:
    """Runs Rhai scripts. Compiled scripts are kept by the wheel, keyed by source."""

    __slots__ = ("_engine", "_kept_limits", "_running")

    name = "rhai"

    def __init__(self) -> None:
        self._engine = rhai.Engine()
        self._kept_limits: dict[Limits, rhai.Limits] = {}
        # The log of the script that this thread runs: functions offered to scripts belong to the engine, not to a run.
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
        """Make a handle that `run` takes once."""
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
        """Run a script; the interpreter lock is free while it runs."""
        native_run = cast("Run", run)
        native_limits = self._kept_limits.get(limits) or self._keep(limits)
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

    def _keep(self, limits: Limits) -> rhai.Limits:
        if len(self._kept_limits) >= _MAX_KEPT_LIMITS:
            self._kept_limits.clear()
        native = rhai.Limits(timeout_s=limits.timeout_s, operations=limits.operations, memory_bytes=limits.memory_bytes)
        self._kept_limits[limits] = native
        return native


def create_engine() -> RhaiEngine:
    """Make the engine; the registry's factory for `rhai`."""
    return RhaiEngine()


def _failed(error: rhai.RhaiError) -> Failed:
    permanent = isinstance(error, rhai.RhaiParseError)
    return Failed(error.kind, error.message, error.line, error.column, permanent)
