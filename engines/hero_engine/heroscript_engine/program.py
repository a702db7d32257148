"""The HeroScript engine in its child processes: loads all handlers once, and runs scripts with them."""

from __future__ import annotations

import logging
import os
import resource
import sys
from collections.abc import Mapping

from hero_engine.children.channel import ParentChannel
from hero_engine.children.program import ChildJob
from hero_engine.children.settings import lower_limit
from hero_engine.engine import Done, Limits, Outcome, Script
from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.run.actions import VocabularyError, load_actions
from hero_engine.heroscript_engine.run.context import Context, ScriptSession
from hero_engine.heroscript_engine.run.run_script import bind_vocabulary, run_script
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_engine.host.environment import TRACEPARENT, program_environ, trace_variables
from hero_engine.languages.heroscript import Playbook
from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.parsing import check_heroscript

VERSION = "1"

#: The interpreter specialises code that has run a few times. If the template has run it, all children share the result.
#: Source: https://peps.python.org/pep-0659/
_WARM_UP_RUNS = 20
_WARM_UP = ChildJob(
    script=Script(source="!!play.output result:all"),
    constants={"CALLER_ID": ""},
    limits=Limits(timeout_s=60),
    deadline_mono=0.0,
)


class HeroScriptProgram:
    """Runs HeroScript in a child process; see `ChildProgram`.

    Args:
        settings: The operator's settings.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.version = f"{VERSION}+python{sys.version.split()[0]}"
        self.loaded: list[str] = []

    def prepare(self, channel: ParentChannel) -> None:
        """Load and bind all handlers, specialise the code, and send log records to the actor."""
        try:
            self.loaded = load_actions(self._settings.actions)
            bind_vocabulary()
            for _ in range(_WARM_UP_RUNS):
                outcome = self._run_script(_WARM_UP, channel)
                if not isinstance(outcome, Done):
                    raise VocabularyError(f"the shortest script fails: {outcome}")
        except VocabularyError as e:
            remedy = "Repair the package, or leave it out of HERO_ACTIONS."
            raise EngineUnavailable("heroscript", str(e), remedy) from e.__cause__
        log = logging.getLogger()
        log.handlers[:] = [channel]
        log.setLevel(logging.INFO)
        log.isEnabledFor(logging.INFO)
        # A child gets its job's environment only, so the template's can be removed once for all.
        os.environ.clear()

    def run(self, job: ChildJob, channel: ParentChannel) -> Outcome:
        """Run a script, in the environment of its job."""
        if job.check_only:
            return check_heroscript(job.script) or Done("")
        if job.limits.memory_bytes:
            # What is mapped already is shared with the template, and not the job's.
            lower_limit(resource.RLIMIT_AS, _mapped_bytes() + job.limits.memory_bytes)
        env = job.constants.get("ENV")
        os.environ.clear()
        if isinstance(env, Mapping):
            # Handlers of packages may start programs, which inherit this.
            base = trace_variables(job.constants.get(TRACEPARENT))
            os.environ.update(program_environ(env, base=base, allowed=self._settings.job_env))
        return self._run_script(job, channel)

    def is_clean(self, job: ChildJob, outcome: Outcome) -> bool:
        """Whether another job may use the child: nothing went wrong, and its limits are still the operator's."""
        return isinstance(outcome, Done) and not job.limits.memory_bytes

    def _run_script(self, job: ChildJob, channel: ParentChannel) -> Outcome:
        settings = self._settings.for_run(job.constants)

        def make_context(playbook: Playbook) -> Context:
            return Context(
                action=Action("", ""),
                playbook=playbook,
                constants=job.constants,
                session=ScriptSession(),
                results={},
                settings=settings,
                deadline_mono=job.deadline_mono,
                log=logging.getLogger("hero.script"),
                send_progress=channel.progress,
                last_result=self._settings.last_result,
                ask_actor=channel.ask,
            )

        return run_script(job.script.source, settings, make_context, channel)


def create_program(settings: EngineSettings) -> HeroScriptProgram:
    """Make the program, in the template."""
    return HeroScriptProgram(settings)


def _mapped_bytes() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123  pathlib is slow to import
        return int(statm.read().split()[0]) * resource.getpagesize()
