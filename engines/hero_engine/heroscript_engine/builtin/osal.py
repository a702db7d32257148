"""The actions `osal.exec*` and `osal.env_*`: programs of the machine, if the operator allows them, and the environment.

Off until `HERO_ALLOW_COMMANDS` names a program. No shell is involved: a script cannot smuggle a second program into a
command line. A program is looked up in fixed folders, never in the `PATH` that the job's submitter chooses. What an
allowed program can be made to do, a script can do.

Source: notes on how herolib runs a script (parameters of `osal.*`); specification, section 10.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hero_engine.heroscript_engine.run.actions import action
from hero_engine.heroscript_engine.run.context import Context
from hero_engine.host.allowed import inside
from hero_engine.host.programs import PATH, TAIL_CHARS, ProgramFailed, run_program
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

    The last three are accepted because scripts have them: a job has a log anyway, and no terminal.
    """
    words = _allowed(ctx, cmd)
    env = dict(os.environ) | _variables(environment)
    for left in reversed(range(retry + 1)):
        code, output = _run(ctx, words, work_folder, env, min(timeout, ctx.remaining_s))
        if stdout and output:
            print(output.rstrip("\n"))  # noqa: T201  a script's output is meant for the job's log
        if code == 0 or code in ignore_error_codes:
            break
        if left == 0 and raise_error:
            title = name or description or words[0]
            raise ProgramFailed(f"{title} ended with exit code {code}: {output[-TAIL_CHARS:].strip()}")
    return {"exit_code": code, "output": output}


@action("osal.exec_silent")
def execute_silent(ctx: Context, cmd: str) -> dict[str, object]:
    """Run a program and print nothing."""
    return execute(ctx, cmd, stdout=False)


@action("osal.env_set")
def env_set(key: str, value: str, overwrite: bool = True) -> None:
    """Set a variable for the programs that this script runs."""
    if overwrite or key not in os.environ:
        os.environ[key] = value


@action("osal.env_unset")
def env_unset(key: str) -> None:
    """Remove a variable."""
    os.environ.pop(key, None)


@action("osal.env_set_all")
def env_set_all(params: Params) -> None:
    """Set a variable a parameter; keys are upper-cased, since keys of HeroScript have no case."""
    if params.get_default_false("clear_before_set"):
        os.environ.clear()
    overwrite = params.get_default_true("overwrite_if_exists")
    for key, value in params.get_map().items():
        if key not in ("clear_before_set", "overwrite_if_exists", "ignore_error", "result_to"):
            env_set(key.upper(), value, overwrite)


@action("osal.env_load_file")
def env_load_file(ctx: Context, file_path: str, overwrite: bool = True) -> list[str]:
    """Set the variables of a file with lines KEY=value, below `HERO_WORK_DIR`; the result is their names."""
    if not ctx.settings.work_dir:
        raise PermissionError("osal.env_load_file is not allowed here: HERO_WORK_DIR is not set")
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
        env_set(name, value, overwrite)
        names.append(name)
    return names


def _allowed(ctx: Context, cmd: str) -> list[str]:
    words = shlex.split(cmd)
    if not words:
        raise ValueError("cmd is empty")
    program = shutil.which(words[0], path=PATH)
    if not any(fnmatchcase(seen, item) for item in ctx.settings.commands for seen in (words[0], program or "")):
        known = ", ".join(ctx.settings.commands) or "nothing"
        raise PermissionError(f"{words[0]} is not allowed here; HERO_ALLOW_COMMANDS allows: {known}")
    if program is None:
        raise FileNotFoundError(f"there is no program {words[0]}")
    return [program, *words[1:]]


def _run(ctx: Context, words: list[str], work_folder: str, env: Mapping[str, str], timeout_s: float) -> tuple[int, str]:
    with tempfile.TemporaryDirectory(prefix="hero-") as scratch:
        root = Path(ctx.settings.work_dir or scratch).resolve()
        folder = inside(root, work_folder)
        ended = run_program(words, folder=folder, env=env, timeout_s=timeout_s, joined=True)
        return ended.code, ended.output


def _variables(items: tuple[str, ...]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"environment holds KEY=value items, not {item!r:.80}")
        variables[key.strip()] = value
    return variables
