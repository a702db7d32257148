"""What a handler sees of the job it runs for: the context, and the values that the actions of one run share.

Handlers get a `Context`; `run_script` makes one per run. Packages with handlers import this module, so it stays light.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hero_engine.engine import Asker
from hero_engine.host.call import Call
from hero_engine.host.environment import TRACEPARENT
from hero_engine.rights import ScriptRights

if TYPE_CHECKING:
    from hero_engine.heroscript_engine.run.settings import EngineSettings
    from hero_engine.languages.heroscript import Action, Playbook


@dataclass(slots=True)
class ScriptSession:
    """The values that the actions of one run share.

    Attributes:
        env: Words for `{NAME}`, by name as the script spells it; set by `session.env_set`.
        params: Set by `core.params_session_set`.
        context_params: Set by `core.params_context_set`; like everything here, they last as long as the run.
        coderoot: Set by `core.coderoot_set`.
        variables: What `osal.env_set` and the like have made of the job's variables; None before the first change.
        values: For handlers to use as they like.
    """

    env: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    context_params: dict[str, str] = field(default_factory=dict)
    coderoot: str = ""
    variables: dict[str, str] | None = None
    values: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Context:
    """One run, as its handlers see it.

    Attributes:
        action: The action that is running.
        playbook: All actions of the script. A handler may append more, which run after the others.
        constants: What every script gets: `CALLER_ID`, `CONTEXT_ID`, `JOB_ID`, `ENV`, `ARGS`, `PREREQUISITES`,
            `PREREQUISITE_VALUES` and `SIGNATORIES`.
        session: The values that the actions share.
        results: The results of the actions so far, in the order in which they ran, by the action's id.
        settings: The engine's settings.
        deadline_mono: When the run is ended, on the clock of `time.monotonic`.
        log: A logger whose records go to the job's log, like printed text.
        send_progress: Sends what `progress` reports.
        last_result: The job's output is its last result; set by `play.output`.
        ask_actor: Sends a request to the job's actor; see `ask`.
    """

    action: Action
    playbook: Playbook
    constants: Mapping[str, object]
    session: ScriptSession
    results: dict[int, object]
    settings: EngineSettings
    deadline_mono: float
    log: logging.Logger
    send_progress: Callable[[float, float, str], None]
    last_result: bool
    ask_actor: Callable[[str, dict[str, object]], Any]
    _call: Call | None = None

    @property
    def call(self) -> Call:
        """The run, as the functions of `hero_engine.host` see it. The actor ends the child when the run must end."""
        if self._call is None:
            asker = Asker(
                job_id=self.job_id,
                caller_id=self.caller_id,
                context_id=self.context_id,
                deadline_mono=self.deadline_mono,
                traceparent=self.traceparent,
            )
            self._call = Call(asker, ScriptRights(), stopped=lambda: False, access=_ActorAccess(self.ask_actor))
        return self._call

    @property
    def caller_id(self) -> str:
        """Who submitted the job."""
        return str(self.constants.get("CALLER_ID", ""))

    @property
    def context_id(self) -> str:
        """The context, or circle, that the job runs in."""
        return str(self.constants.get("CONTEXT_ID", ""))

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return str(self.constants.get("JOB_ID", ""))

    @property
    def traceparent(self) -> str:
        """The span of the run in a distributed trace; "" if the job is in none."""
        return str(self.constants.get(TRACEPARENT, ""))

    @property
    def signatories(self) -> tuple[str, ...]:
        """The public keys that have signed the job."""
        return signatories(self.constants)

    @property
    def args(self) -> tuple[str, ...]:
        """The job's arguments."""
        return arguments(self.constants)

    @property
    def env(self) -> Mapping[str, str]:
        """The job's environment variables. Programs, and this process, have them as `JOB_ENV_NAME`."""
        return _texts(self.constants.get("ENV"))

    @property
    def variables(self) -> dict[str, str]:
        """The job's variables as the script has changed them, for the programs that it runs."""
        if self.session.variables is None:
            self.session.variables = dict(self.env)
        return self.session.variables

    @property
    def prerequisites(self) -> Mapping[str, str]:
        """Outputs of the jobs that this one waited for, by job id; "" if an output is no longer stored."""
        return _texts(self.constants.get("PREREQUISITES"))

    @property
    def remaining_s(self) -> float:
        """Seconds until the run is ended, at least 0."""
        return max(0.0, self.deadline_mono - time.monotonic())

    def ask(self, method: str, **params: object) -> Any:
        """Send a request to the store, through the job's actor, and wait for the answer.

        Args:
            method: `job.*` or `store.*`.
            params: JSON values.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is not allowed, or cannot be carried out.
        """
        return self.ask_actor(method, params)

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Report the progress of the job.

        Args:
            done: How much is done, in a unit of your choice.
            total: How much there is to do, in the same unit.
            text: What the script is doing.
        """
        self.send_progress(done, total, text)


class _ActorAccess:
    """The access to the store through the job's actor, which knows who asks."""

    def __init__(self, ask_actor: Callable[[str, dict[str, object]], Any]) -> None:
        self._ask_actor = ask_actor

    def call(self, _asker: Asker, method: str, params: Mapping[str, object]) -> object:
        answer: object = self._ask_actor(method, dict(params))
        return answer


def set_word(ctx: Context, name: str, text: str) -> None:
    """Set a word for `{NAME}` in the parameters of the actions that follow.

    Args:
        ctx: The run's context.
        name: Name of the word.
        text: What replaces it.

    Raises:
        ValueError: The name is a constant of the job.
    """
    # Imported here: packages with handlers import this module, and the parser is slow to load.
    from hero_engine.languages.heroscript import name_fix

    if name_fix(name) in map(name_fix, ctx.constants):
        raise ValueError(f"{name} is a constant of the job and cannot be changed")
    ctx.session.env[name] = text


def signatories(constants: Mapping[str, object]) -> tuple[str, ...]:
    """Read the public keys that have signed the job from the constants."""
    keys = constants.get("SIGNATORIES", ())
    return tuple(str(key) for key in keys) if isinstance(keys, tuple | list) else ()


def arguments(constants: Mapping[str, object]) -> tuple[str, ...]:
    """Read the job's arguments from the constants."""
    args = constants.get("ARGS", ())
    return tuple(str(arg) for arg in args) if isinstance(args, tuple | list) else ()


def _texts(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return MappingProxyType({})
    return MappingProxyType({str(name): "" if text is None else str(text) for name, text in value.items()})
