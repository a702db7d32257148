"""Git for scripts: which repositories may be fetched, where their working copies are, and how the program `git` is run.

The actions `git.*`, and includes from repositories, stand on it. A working copy is at `provider/account/name` below the
code folder of its context, and no job of another context reaches it. Git is configured only here: no configuration file
of the system or the user, no variable of the job, no hook of a repository, no protocol except the allowed one, and no
redirect has an effect. Git never asks for input.

Source: https://git-scm.com/docs/git (environment variables), https://git-scm.com/docs/git-config
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hero_engine.heroscript_engine.run.context import Context
from hero_engine.host.allowed import inside, not_allowed
from hero_engine.host.commands.git_rules import RepositorySource, git_environment, git_options
from hero_engine.host.environment import program_environ
from hero_engine.host.programs import PATH, run_program

#: Below `HERO_CODEROOT_DIR`: one folder per context.
_CONTEXTS = "contexts"
#: Contexts whose folder has their name. Upper case is not among them: some file systems know no case.
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """A working copy.

    Attributes:
        folder: Its folder.
        provider: The first part of its place, for example `github`.
        account: The second part.
        name: The third part.
    """

    folder: Path
    provider: str
    account: str
    name: str


def code_root(ctx: Context) -> Path:
    """Give the folder that holds all working copies of the job's context. It need not exist.

    Raises:
        PermissionError: The operator allows none.
    """
    if not ctx.settings.coderoot_dir:
        raise not_allowed(ctx.action.full_name, "HERO_CODEROOT_DIR")
    root = Path(ctx.settings.coderoot_dir).resolve()
    name = ctx.context_id
    if not name:
        return root
    # A tilde is in no plain name, so a context cannot be named like the folder of another one.
    return root / _CONTEXTS / (name if _PLAIN.fullmatch(name) else f"~{hashlib.sha256(os.fsencode(name)).hexdigest()}")


def code_folder(ctx: Context, coderoot: str) -> Path:
    """Find a code folder of the job's context.

    Args:
        ctx: The run's context.
        coderoot: Its path below `code_root`, or absolute; "" for that folder itself.

    Raises:
        PermissionError: It is outside that folder, or the operator allows none.
    """
    root = code_root(ctx)
    folder = inside(root, coderoot)
    if not ctx.context_id and folder.is_relative_to(root / _CONTEXTS):
        raise PermissionError(f"{coderoot} belongs to a context, and this job has none")
    return folder


def find_copies(root: Path) -> Iterator[WorkingCopy]:
    """Find all working copies below a code folder, sorted by place."""
    for git_folder in sorted(root.glob("*/*/*/.git")):
        folder = git_folder.parent
        if folder.resolve() == folder and git_folder.is_dir() and not git_folder.is_symlink():
            yield WorkingCopy(folder, *folder.relative_to(root).parts)


def check_source(ctx: Context, url: str) -> RepositorySource:
    """Parse an address and check that it is allowed.

    Raises:
        PermissionError: It is not allowed.
        ValueError: It is not the address of a repository.
    """
    source = RepositorySource.parse(url)
    if not source.allowed_by(ctx.settings.git):
        raise not_allowed(source.url, "HERO_ALLOW_GIT", ctx.settings.git)
    return source


def clone(ctx: Context, url: str, root: Path, *, light: bool, recursive: bool = False) -> Path:
    """Make a working copy, unless it exists.

    Args:
        ctx: The run's context.
        url: The address of the repository.
        root: The code folder.
        light: Leave out the history.
        recursive: Include its submodules, which must be allowed too.

    Returns:
        Its folder.
    """
    source = check_source(ctx, url)
    folder = root / source.place
    if not (folder / ".git").is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Cloned beside its place and then moved, so that another job never sees an incomplete copy.
        with tempfile.TemporaryDirectory(prefix=".hero-", dir=folder.parent) as scratch:
            depth = ("--depth", "1") if light else ()
            words = ("clone", "--quiet", *depth, "--", source.url, f"{scratch}/copy")
            git(ctx, folder.parent, *words, scheme=source.scheme)
            try:
                Path(scratch, "copy").rename(folder)
            except OSError:
                if not (folder / ".git").is_dir():
                    raise
    if recursive:
        update_submodules(ctx, folder)
    return folder


def fetch_for_include(ctx: Context, url: str, *, wants_pull: bool, wants_reset: bool) -> Path:
    """Make a working copy in the code folder of the context to include scripts from.

    Args:
        ctx: The run's context.
        url: The address of the repository.
        wants_pull: Pull the newest commits.
        wants_reset: Discard local changes first.

    Returns:
        Its folder.
    """
    if not ctx.settings.coderoot_dir:
        raise not_allowed("git_url", "HERO_CODEROOT_DIR")
    folder = clone(ctx, url, code_root(ctx), light=True)
    if wants_reset:
        reset(ctx, folder)
    if wants_pull:
        pull(ctx, folder)
    return folder


def pull(ctx: Context, folder: Path) -> str:
    """Update a copy to the newest commit of its branch; return what git said."""
    return fetch(ctx, folder, "pull", "--quiet", "--ff-only", "origin")


def reset(ctx: Context, folder: Path) -> str:
    """Discard the local changes of a copy, new files too; return what git said."""
    return git(ctx, folder, "reset", "--quiet", "--hard") + git(ctx, folder, "clean", "--quiet", "-fd")


def fetch(ctx: Context, folder: Path, *words: str) -> str:
    """Run a git command that contacts the copy's remote, after checking again that the remote is allowed."""
    source = check_source(ctx, git(ctx, folder, "remote", "get-url", "origin").strip())
    return git(ctx, folder, *words, scheme=source.scheme)


def update_submodules(ctx: Context, folder: Path) -> None:
    """Fetch the submodules of a copy, recursively, after checking that each of them is allowed."""
    if not (folder / ".gitmodules").is_file():
        return
    git(ctx, folder, "submodule", "--quiet", "init")
    for line in git(ctx, folder, "config", "--local", "--get-regexp", r"^submodule\..*\.url$").splitlines():
        key, _, url = line.partition(" ")
        source = check_source(ctx, url)
        name = key.removeprefix("submodule.").removesuffix(".url")
        path = git(ctx, folder, "config", "-f", ".gitmodules", f"submodule.{name}.path").strip()
        git(ctx, folder, "submodule", "--quiet", "update", "--", path, scheme=source.scheme)
        update_submodules(ctx, folder / path)


def git(ctx: Context, folder: Path, *words: str, scheme: str = "none") -> str:
    """Run git.

    Args:
        ctx: The run's context.
        folder: Where to run it.
        words: The git command and its arguments.
        scheme: The only protocol that git may use.

    Returns:
        What it wrote to standard output.

    Raises:
        ProgramFailed: It ended with another exit code than 0, or the job's time was up.
    """
    program = shutil.which("git", path=PATH)
    if program is None:
        raise FileNotFoundError("there is no program git")
    env = git_environment(ctx.caller_id or "hero", scheme, ctx.settings.ssh_key, ctx.settings.ssh_known_hosts)
    environ = program_environ({}, base=env)
    ended = run_program([program, *git_options(), *words], folder=folder, env=environ, timeout_s=ctx.remaining_s)
    ended.check(f"git {words[0]}")
    return ended.output


def remove(folder: Path) -> None:
    """Remove a copy."""
    # Moved away in one step first, because a partly removed copy would be taken for a complete one.
    doomed = Path(tempfile.mkdtemp(prefix=".hero-", dir=folder.parent))
    os.rename(folder, doomed / folder.name)  # noqa: PTH104  pathlib's says no more
    shutil.rmtree(doomed)
