"""The actions `osal.exec*` and `osal.env_*`: programs of the machine, and environment variables for them.

Programs are off until `HERO_ALLOW_COMMANDS` names one. No shell is involved, so a command line cannot start a second
program. Programs are looked up in fixed folders, never in the `PATH` of the job, which its submitter chooses. Variables
reach them as `JOB_ENV_NAME`, and under their own names only if `HERO_JOB_ENV` lists them (`host.environment`). A script
can do everything that an allowed program can be made to do.

Source: notes on how herolib runs a script (parameters of `osal.*`); specification, section 10.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import inside, not_allowed, on_list
from hero_engine.host.environment import program_environ, trace_variables
from hero_engine.host.programs import PATH, ProgramResult, run_program
from hero_engine.languages.heroscript import Params

#: A longer file of variables is an error.
_MAX_ENV_FILE_BYTES = 1024 * 1024


@action("osal.exec")
def execute(
    ctx: Context,
    cmd: str,
    *,
    timeout: float = 3600,
    stdout: bool = True,
    raise_error: bool = True,
    work_folder: str = "",
    retry: int = 0,
    environment: tuple[str, ...] = (),
    ignore_error_codes: tuple[int, ...] = (),
    name: str = "",
    description: str = "",
    stdout_log: bool = True,
    interactive: bool = False,
    debug: bool = False,
) -> dict[str, object]:
    """Run a program and wait for it.

    The last three parameters have no effect, because a job always has a log and never a terminal. They are accepted
    because existing scripts pass them.
    """
    words = _find_program(ctx, cmd)
    chosen = ctx.variables | _variables(environment)
    base = {"PATH": PATH, "LANG": "C.UTF-8", **trace_variables(ctx.traceparent)}
    env = program_environ(chosen, base=base, allowed=ctx.settings.job_env)
    for left in reversed(range(retry + 1)):
        ended = _run(ctx, words, work_folder, env, min(timeout, ctx.remaining_s))
        if stdout and ended.output:
            print(ended.output.rstrip("\n"))
        if ended.code == 0 or ended.code in ignore_error_codes:
            break
        if left == 0 and raise_error:
            ended.check(name or description or words[0])
    return {"exit_code": ended.code, "output": ended.output}


@action("osal.exec_silent")
def execute_silent(ctx: Context, cmd: str) -> dict[str, object]:
    """Run a program without printing its output."""
    return execute(ctx, cmd, stdout=False)


@action("osal.env_set")
def env_set(ctx: Context, key: str, value: str, overwrite: bool = True) -> None:
    """Set a variable for the programs that this script runs."""
    if overwrite or key not in ctx.variables:
        ctx.variables[key] = value


@action("osal.env_unset")
def env_unset(ctx: Context, key: str) -> None:
    """Remove a variable."""
    ctx.variables.pop(key, None)


@action("osal.env_set_all")
def env_set_all(ctx: Context, params: Params) -> None:
    """Set one variable per parameter. Names become upper case, because keys in HeroScript have no case."""
    if params.get_default_false("clear_before_set"):
        ctx.variables.clear()
    overwrite = params.get_default_true("overwrite_if_exists")
    for key, value in params.get_map().items():
        if key not in ("clear_before_set", "overwrite_if_exists", "ignore_error", "result_to"):
            env_set(ctx, key.upper(), value, overwrite)


@action("osal.env_load_file")
def env_load_file(ctx: Context, file_path: str, overwrite: bool = True) -> list[str]:
    """Set the variables of a file with lines KEY=value, below `HERO_WORK_DIR`. The result is their names."""
    if not ctx.settings.work_dir:
        raise not_allowed("osal.env_load_file", "HERO_WORK_DIR")
    path = inside(Path(ctx.settings.work_dir).resolve(), file_path)
    if path.stat().st_size > _MAX_ENV_FILE_BYTES:
        raise ValueError(f"{file_path} has more than {_MAX_ENV_FILE_BYTES} bytes")
    names: list[str] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name:
            raise ValueError(f"{file_path}:{number} is not KEY=value")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        env_set(ctx, name, value, overwrite)
        names.append(name)
    return names


def _find_program(ctx: Context, cmd: str) -> list[str]:
    """Split a command line, and find its program if that is allowed."""
    words = shlex.split(cmd)
    if not words:
        raise ValueError("cmd is empty")
    program = shutil.which(words[0], path=PATH)
    if not on_list(ctx.settings.commands, words[0], program or ""):
        raise not_allowed(words[0], "HERO_ALLOW_COMMANDS", ctx.settings.commands)
    if program is None:
        raise FileNotFoundError(f"there is no program {words[0]}")
    return [program, *words[1:]]


def _run(ctx: Context, words: list[str], work_folder: str, env: Mapping[str, str], timeout_s: float) -> ProgramResult:
    with tempfile.TemporaryDirectory(prefix="hero-") as scratch:
        folder = inside(Path(ctx.settings.work_dir or scratch).resolve(), work_folder)
        return run_program(words, folder=folder, env=env, timeout_s=timeout_s, joined=True)


def _variables(items: tuple[str, ...]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"environment holds KEY=value items, not {item!r:.80}")
        variables[key.strip()] = value
    return variables
