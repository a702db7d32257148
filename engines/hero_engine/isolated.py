"""Any engine, in child processes: what `isolation = "process"` means, and where a suspected job runs alone.

`IsolatedEngine` is the side of the actor; it never loads the engine itself. `IsolatedProgram` is the side of the
children, which inherit the loaded engine from their template and are kept from job to job.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hero_engine.children.channel import ParentChannel
from hero_engine.children.child_engine import ChildEngine
from hero_engine.children.program import ChildJob
from hero_engine.children.settings import ChildSettings
from hero_engine.engine import (
    Asker,
    AsksStore,
    Done,
    Engine,
    Limits,
    OffersFunctions,
    Outcome,
    RunHandle,
    RunLog,
    Script,
)
from hero_engine.host.places.scratch import clean_left_scratch
from hero_engine.registry import load_engine
from hero_engine.rights import RIGHTS_VARIABLE, ScriptRights

_PROGRAM = "hero_engine.isolated:IsolatedProgram"
#: What the children do not get of the actor's environment: access to the store is access to everything.
_SECRETS = frozenset({"HERO_REDIS_URL", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"})
#: Engines whose scripts have processes of their own anyway.
_ALWAYS_ISOLATED = frozenset({"heroscript", "v"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationSettings(ChildSettings):
    """Settings of the children of any engine.

    Attributes:
        engine: Registry name, or `module:factory`.
    """

    engine: str = ""


class IsolatedEngine(ChildEngine):
    """Runs the scripts of another engine in child processes.

    Args:
        engine: Registry name, or `module:factory`.
        settings: Limits of the children; those of the environment by default.

    Raises:
        EngineUnavailable: The engine does not load, or a setting is invalid.
    """

    def __init__(self, engine: str, settings: IsolationSettings | None = None) -> None:
        given = IsolationSettings.from_environ() if settings is None else settings
        environ = {name: text for name, text in os.environ.items() if name not in _SECRETS}
        super().__init__(engine, _PROGRAM, replace(given, engine=engine), environ)

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script in a child process. If the child is killed, its scratch folder is removed here."""
        outcome = super().run(script, constants=constants, limits=limits, run=run, log=log)
        if outcome.__class__ is not Done:
            clean_left_scratch()
        return outcome


def load_isolated_engine(name: str) -> Engine:
    """Load an engine so that each script runs in a process that its crash ends alone.

    Args:
        name: Registry name, or `module:factory`.

    Raises:
        EngineUnavailable: See `load_engine`.
    """
    return load_engine(name) if name in _ALWAYS_ISOLATED else IsolatedEngine(name)


class IsolatedProgram:
    """Runs the scripts of an engine in a child process; see `ChildProgram`.

    Args:
        settings: Name the engine.

    Raises:
        EngineUnavailable: The engine does not load.
    """

    def __init__(self, settings: IsolationSettings) -> None:
        self._engine = load_engine(settings.engine)
        self.version = self._engine.version
        self.loaded = [self._engine.name]

    def prepare(self, channel: ParentChannel) -> None:
        """Give the engine what the actor would give it: the rights, and access to the store by way of the actor."""
        rights = os.environ.pop(RIGHTS_VARIABLE, "")
        if isinstance(self._engine, OffersFunctions):
            self._engine.give_rights(ScriptRights.from_json(rights))
        if isinstance(self._engine, AsksStore):
            self._engine.give_access(_AccessOfActor(channel))

    def run(self, job: ChildJob, channel: ParentChannel) -> Outcome:
        """Run a script. The actor keeps the deadline, by killing this process; the engine's own comes too late."""
        if job.check_only:
            return self._engine.check(job.script) or Done("")
        return self._engine.run(
            job.script, constants=job.constants, limits=job.limits, run=self._engine.new_run(), log=channel
        )

    def is_clean(self, _job: ChildJob, _outcome: Outcome) -> bool:
        """A failed script leaves nothing behind: in the actor, too, engines run on after failures."""
        return True


class _AccessOfActor:
    """The actor's access to the store, as the engine in a child sees it."""

    def __init__(self, channel: ParentChannel) -> None:
        self._channel = channel

    def call(self, _asker: Asker, method: str, params: Mapping[str, object]) -> object:
        """Ask the actor, which knows by itself for which job."""
        return self._channel.ask(method, params)
