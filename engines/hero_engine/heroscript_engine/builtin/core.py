"""The actions `play.*`, `session.*` and `core.*`, which every script may use.

`play.include` and `play.run` are not here, because `run.run_script` follows includes before any action runs. Nothing
here touches the machine except `core.coderoot_set`, and that only inside the folder that the operator names.

Source: HeroScript specification, sections 7 and 10 [Q44, Q45].
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hero_engine.heroscript_engine import Context, action
from hero_engine.heroscript_engine.run import repositories
from hero_engine.heroscript_engine.run.context import set_word
from hero_engine.languages.heroscript import Params, name_fix


@action("play.echo")
def echo(content: str = "") -> str:
    """Print a text, which is also the result."""
    print(content)
    return content


@action("play.output")
def choose_output(ctx: Context, result: Literal["all", "last"]) -> None:
    """Choose the job's output: the list of all results, or only the last one."""
    ctx.last_result = result == "last"


@action("session.env_set")
def env_set(ctx: Context, key: str, val: str | None = None, value: str | None = None) -> None:
    """Set a word for `{NAME}` in the parameters of the actions that follow."""
    text = val if val is not None else value
    if text is None:
        raise ValueError("session.env_set needs val or value")
    set_word(ctx, key, text)


@action("session.env_set_once")
def env_set_once(ctx: Context, key: str, val: str | None = None, value: str | None = None) -> None:
    """Set a word; it is an error if the word is set already."""
    if name_fix(key) in map(name_fix, ctx.session.env):
        raise ValueError(f"{key} is set already")
    env_set(ctx, key, val, value)


@action("session.*")
def session_unknown(ctx: Context, params: Params) -> None:
    """Accept any other action of the session and do nothing, as the reference implementation does."""
    ctx.log.warning("%s is not known and does nothing", ctx.action.full_name)


@action("core.params_session_set")
def params_session_set(ctx: Context, params: Params) -> None:
    """Store all parameters in the session."""
    ctx.session.params.update(params.get_map())


@action("core.params_context_set")
def params_context_set(ctx: Context, params: Params) -> None:
    """Store all parameters in the context, until the run ends."""
    ctx.session.context_params.update(params.get_map())


@action("core.coderoot_set")
def coderoot_set(ctx: Context, coderoot: str) -> None:
    """Choose the code folder, below that of the job's context. It is created if it does not exist."""
    folder = code_folder(ctx, coderoot)
    folder.mkdir(parents=True, exist_ok=True)
    ctx.session.coderoot = str(folder)


def code_folder(ctx: Context, coderoot: str = "") -> Path:
    """Find the code folder, which holds working copies of repositories and belongs to the job's context.

    Args:
        ctx: The run's context.
        coderoot: The folder that an action asks for; "" for the session's, or else the operator's.

    Raises:
        PermissionError: The folder is outside that of the context, or the operator allows none.
    """
    return repositories.code_folder(ctx, coderoot or ctx.session.coderoot)
