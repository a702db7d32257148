"""What a handler sees of the job it works for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_engine.heroscript_engine.run.settings import Settings
    from hero_engine.languages.heroscript import Action, Playbook


@dataclass(slots=True)
class Session:
    """The values of one run; what `session.*` and `core.*` set.

    Attributes:
        env: Words for `{NAME}`, by the name as the script gave it.
        params: Set by `core.params_session_set`.
        context_params: Set by `core.params_context_set`; they last as long as the run.
        coderoot: Set by `core.coderoot_set`.
        values: Free for handlers, which share it.
    """

    env: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    context_params: dict[str, str] = field(default_factory=dict)
    coderoot: str = ""
    values: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Context:
    """One run, as its handlers see it.

    Attributes:
        action: The action that is being run.
        playbook: All actions of the script; a handler may add more, which run after those that are there.
        constants: What every script is given: `CALLER_ID`, `CONTEXT_ID`, `JOB_ID`, `ENV`, `PREREQUISITES` and
            `SIGNATORIES`.
        session: Values of this run.
        results: Results of the actions so far, in the order in which they ran: id of the action to its result.
        settings: The engine's settings.
        deadline_mono: When the run is ended, on the clock of `time.monotonic`.
        log: Its records go to the job's log, like everything printed.
        send_progress: Takes what `progress` says.
        last_result: The output of the job is its last result; set by `play.output`.
        ask_actor: Asks the job's actor for something of the store; see `ask`.
    """

    action: Action
    playbook: Playbook
    constants: Mapping[str, object]
    session: Session
    results: dict[int, object]
    settings: Settings
    deadline_mono: float
    log: logging.Logger
    send_progress: Callable[[float, float, str], None]
    last_result: bool
    ask_actor: Callable[[str, dict[str, object]], Any]

    @property
    def caller_id(self) -> str:
        """Who gave the job."""
        return str(self.constants.get("CALLER_ID", ""))

    @property
    def context_id(self) -> str:
        """The context, or circle, it runs in."""
        return str(self.constants.get("CONTEXT_ID", ""))

    @property
    def job_id(self) -> str:
        """The job."""
        return str(self.constants.get("JOB_ID", ""))

    @property
    def signatories(self) -> tuple[str, ...]:
        """Public keys of those who have signed the job."""
        return signatories(self.constants)

    @property
    def env(self) -> Mapping[str, str]:
        """The job's environment variables, which are the process's too."""
        return _texts(self.constants.get("ENV"))

    @property
    def prerequisites(self) -> Mapping[str, str]:
        """Outputs of the jobs that this one waited for, by their ids; "" for one whose output is gone."""
        return _texts(self.constants.get("PREREQUISITES"))

    @property
    def remaining_s(self) -> float:
        """Seconds until the run is ended, at least 0."""
        return max(0.0, self.deadline_mono - time.monotonic())

    def ask(self, method: str, **params: object) -> Any:
        """Ask the job's actor for something of the store, and wait for its answer.

        Args:
            method: `job.*` or `store.*`.
            params: What JSON can say.

        Raises:
            AccessRefused: It is not allowed, or cannot be done.
        """
        return self.ask_actor(method, params)

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Say how far the job is.

        Args:
            done: So much is done, in a unit of its own.
            total: Of so much.
            text: What it is doing.
        """
        self.send_progress(done, total, text)


def set_word(ctx: Context, name: str, text: str) -> None:
    """Set a word for `{NAME}` in the params of the actions that follow.

    Raises:
        ValueError: It is a constant of the job.
    """
    # Here, because packages with handlers import this module, and the parser is slow to load.
    from hero_engine.languages.heroscript import name_fix

    if name_fix(name) in map(name_fix, ctx.constants):
        raise ValueError(f"{name} is a constant of the job and cannot be changed")
    ctx.session.env[name] = text


def signatories(constants: Mapping[str, object]) -> tuple[str, ...]:
    """Read who has signed the job from what every script is given."""
    keys = constants.get("SIGNATORIES", ())
    return tuple(str(key) for key in keys) if isinstance(keys, tuple | list) else ()


def _texts(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return MappingProxyType({})
    return MappingProxyType({str(name): "" if text is None else str(text) for name, text in value.items()})
