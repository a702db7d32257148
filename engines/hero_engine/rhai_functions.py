"""Offers functions to Rhai scripts: registers those that a script mentions, and makes the `Call` of each run.

Used by `rhai.py` alone, and imported with the first script. Invariant: a script that mentions no function costs one
look-up, and a run that calls none makes no `Call`.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import rhai
from hero_engine.engine import Asker, RunLog, StoreAccess
from hero_engine.host.call import Call
from hero_engine.host.catalogue import Catalogue
from hero_engine.host.definition import Family, HostFunction
from hero_engine.host.dispatch import make_callback
from hero_engine.host.environment import TRACEPARENT
from hero_engine.rights import ScriptRights

#: A script with this word can call functions that it does not mention.
_EVAL = "eval"


class RunningScript:
    """What a run leaves for its functions, in its thread. It is the run's `RunLog`, and hides the secrets in it.

    Attributes:
        constants: The constants of the job.
        run: The handle of the run.
        log: Receives what functions log.
        call: Made when the first function asks for it.
        thrown: The text that a function has thrown last; an error of the run with this text is the function's.
    """

    __slots__ = ("call", "constants", "log", "run", "thrown")

    def __init__(self, constants: Mapping[str, object], run: rhai.Run, log: RunLog | None) -> None:
        self.constants = constants
        self.run = run
        self.log = log
        self.call: Call | None = None
        self.thrown: str | None = None

    def line(self, level: str, text: str) -> None:
        """Log lines, without the secrets that the script has read."""
        if self.log is not None:
            self.log.line(level, self.masked(text))

    def progress(self, done: float, total: float, text: str) -> None:
        """Report progress, without those secrets."""
        if self.log is not None:
            self.log.progress(done, total, self.masked(text))

    def masked(self, text: str) -> str:
        """Hide the secrets that the script has read."""
        return self.call.masks.hide(text) if self.call is not None and self.call.masks else text

    def close(self) -> None:
        """End the run: close what its functions have opened."""
        if self.call is not None:
            self.call.close()


class RhaiFunctions:
    """The functions of one engine. Thread-safe.

    Args:
        engine: Where they are registered.
        rights: What the actor's scripts may do.
        access: The actor's access to the store; None without an actor.
        objects: The family of the actor's objects; None for none.

    Attributes:
        access: See above.

    Raises:
        EngineUnavailable: A family that the operator names does not load.
    """

    def __init__(
        self,
        engine: rhai.Engine,
        rights: ScriptRights,
        access: StoreAccess | None,
        objects: Family | None = None,
    ) -> None:
        self._engine = engine
        self._rights = rights
        self.access = access
        # A registered function belongs to the engine, not to a run, so it finds its run by its thread.
        self._running = threading.local()
        self._catalogue = Catalogue(rights.families, objects)
        self._registered: set[str] = set()
        self._lock = threading.Lock()

    def prepare(self, words: set[str]) -> bool:
        """Register the functions that a script mentions.

        Args:
            words: The words of the script.

        Returns:
            Whether it mentions one.
        """
        known = self._catalogue.known.keys()
        wanted = set(known) if _EVAL in words else known & words
        if not wanted <= self._registered:
            with self._lock:
                self._register(sorted(wanted - self._registered))
        return bool(wanted)

    def start(self, constants: Mapping[str, object], run: rhai.Run, log: RunLog | None) -> RunningScript:
        """Make the run of this thread known to its functions. The caller closes it when it has ended."""
        self._running.script = script = RunningScript(constants, run, log)
        return script

    def _register(self, names: list[str]) -> None:
        """Register functions by their names, and in the modules of their families."""
        modules: dict[str, dict[str, Callable[..., Any]]] = {"": {}}
        for name in names:
            functions = self._catalogue.functions(name)
            modules[""][name] = self._callback(functions)
            for family in {function.family.name: function.family for function in functions}.values():
                own = [function for function in functions if function.family is family]
                modules.setdefault(family.name, {})[name] = self._callback(own)
        for module, callbacks in modules.items():
            self._engine.register_module(module, callbacks)
        self._registered.update(names)

    def _callback(self, functions: list[HostFunction]) -> Callable[..., Any]:
        callback = make_callback(functions, self.current, self._throw)
        # The wheel reads from the signature how many arguments a script may pass.
        least = min(function.least for function in functions)
        most = max(len(function.parameters) for function in functions)
        kind, empty = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.empty
        parameters = [inspect.Parameter(f"p{n}", kind, default=empty if n < least else None) for n in range(most)]
        callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # any attribute will do
        return callback

    def _throw(self, text: str) -> Exception:
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot enter a script
        self._running.script.thrown = text
        return rhai.Throw(text)

    def current(self) -> Call:
        """The `Call` of the run in this thread."""
        script: RunningScript = self._running.script
        call = script.call
        if call is None:
            constants = script.constants
            caller_id, context_id = str(constants.get("CALLER_ID", "")), str(constants.get("CONTEXT_ID", ""))
            left_s = rhai.remaining_s()
            script.call = call = Call(
                Asker(
                    job_id=str(constants.get("JOB_ID", "")),
                    caller_id=caller_id,
                    context_id=context_id,
                    deadline_mono=float("inf") if left_s is None else time.monotonic() + left_s,
                    traceparent=str(constants.get(TRACEPARENT, "")),
                ),
                self._rights.for_run(context_id, caller_id),
                stopped=lambda: script.run.cancelled,
                log_to=None if script.log is None else script,
                access=self.access,
            )
        return call
