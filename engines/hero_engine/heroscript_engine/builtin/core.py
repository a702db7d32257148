"""The actions that every HeroScript may use: `play.*`, `session.*`, `core.*`.

`play.include` and `play.run` are not here: `script` follows them before anything runs. Nothing here touches the machine
but `core.coderoot_set`, inside one folder, if the operator names one.

Source: HeroScript specification, sections 7 and 10 [Q44, Q45].
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hero_engine.heroscript_engine.run.actions import action
from hero_engine.heroscript_engine.run.context import Context, set_word
from hero_engine.host.allowed import inside
from hero_engine.languages.heroscript import Params, name_fix


@action("play.echo")
def echo(content: str = "") -> str:
    """Print a text; it is the result too."""
    print(content)  # noqa: T201  a script's output is meant for the job's log
    return content


@action("play.output")
def choose_output(ctx: Context, result: Literal["all", "last"]) -> None:
    """Choose what the job's output is: the list of all results, or the last one alone."""
    ctx.last_result = result == "last"


@action("session.env_set")
def env_set(ctx: Context, key: str, val: str | None = None, value: str | None = None) -> None:
    """Set a word for `{NAME}` in the params of the actions that follow."""
    _set_word(ctx, key, val, value)


@action("session.env_set_once")
def env_set_once(ctx: Context, key: str, val: str | None = None, value: str | None = None) -> None:
    """Set a word that must not be set already."""
    if name_fix(key) in map(name_fix, ctx.session.env):
        raise ValueError(f"{key} is set already")
    _set_word(ctx, key, val, value)


@action("session.*")
def session_unknown(ctx: Context, params: Params) -> None:
    """Accept any other action of the session and do nothing, as the reference does."""
    ctx.log.warning("%s is not known and does nothing", ctx.action.full_name)


@action("core.params_session_set")
def params_session_set(ctx: Context, params: Params) -> None:
    """Store every parameter on the session."""
    ctx.session.params.update(params.get_map())


@action("core.params_context_set")
def params_context_set(ctx: Context, params: Params) -> None:
    """Store every parameter on the context, for as long as the run."""
    ctx.session.context_params.update(params.get_map())


@action("core.coderoot_set")
def coderoot_set(ctx: Context, coderoot: str) -> None:
    """Choose the folder of code, made if it does not exist; only below the folder that the operator allows."""
    folder = code_folder(ctx, coderoot)
    folder.mkdir(parents=True, exist_ok=True)
    ctx.session.coderoot = str(folder)


def code_folder(ctx: Context, coderoot: str = "") -> Path:
    """The folder of code: below the one that the operator allows.

    Args:
        ctx: Of the run.
        coderoot: Chosen by an action; "" for the one that the session has, or the operator's.

    Raises:
        PermissionError: It is outside, or none is allowed.
    """
    if not ctx.settings.coderoot_dir:
        raise PermissionError(f"{ctx.action.full_name} is not allowed here: HERO_CODEROOT_DIR is not set")
    return inside(Path(ctx.settings.coderoot_dir).resolve(), coderoot or ctx.session.coderoot)


def _set_word(ctx: Context, key: str, val: str | None, value: str | None) -> None:
    text = val if val is not None else value
    if text is None:
        raise ValueError("session.env_set needs val or value")
    set_word(ctx, key, text)
