"""The HeroScript engine, in the actor's process. Its scripts run in child processes (`hero_engine.children`).

It loads neither the parser nor pydantic; only its child processes do (`program`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from hero_engine.children.child_engine import ChildEngine
from hero_engine.engine import Asker, Failed, Script
from hero_engine.errors import AccessRefused
from hero_engine.heroscript_engine.run.settings import EngineSettings

_PROGRAM = "hero_engine.heroscript_engine.program:create_program"
#: The variables of the actor's environment that the template, and with it every handler module, gets. Addresses and
#: passwords of the store are not among them. By the last one the supervisor recognises the actor's processes. A job's
#: own variables replace them all.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "USER", "HERO_INCARNATION")
_KEPT_PREFIXES = ("PYTHON", "LC_", "COVERAGE")


class HeroScriptEngine(ChildEngine):
    """Runs HeroScript, with one child process per job.

    Args:
        settings: The operator's settings.

    Raises:
        EngineUnavailable: A package with handlers does not load.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        super().__init__("heroscript", _PROGRAM, settings, _environ(os.environ, settings.keep_env))

    def answer(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Answer a request to the store, if the operator allows its family."""
        family = method.partition(".")[0]
        settings = self._settings.for_run({"CALLER_ID": asker.caller_id, "CONTEXT_ID": asker.context_id})
        allowed = {"job": settings.jobs, "store": settings.values}.get(family, False)
        if not allowed:
            variable = {"job": "HERO_ALLOW_JOBS", "store": "HERO_ALLOW_STORE"}.get(family)
            raise AccessRefused(f"{method:.80} is not allowed here" + (f": {variable} is not set" if variable else ""))
        return super().answer(asker, method, params)

    def check(self, script: Script) -> Failed | None:
        """Parse the script. Names of actions are looked up only when it runs."""
        # Imported here: an idle actor has no use for the parser.
        from hero_engine.parsing import check_heroscript

        return check_heroscript(script)


def create_engine() -> HeroScriptEngine:
    """Make the engine. The registry calls this for `heroscript`."""
    return HeroScriptEngine(EngineSettings.from_environ())


def _environ(environ: Mapping[str, str], keep: tuple[str, ...]) -> dict[str, str]:
    kept = {*_KEPT_VARIABLES, *keep}
    return {name: text for name, text in environ.items() if name in kept or name.startswith(_KEPT_PREFIXES)}
