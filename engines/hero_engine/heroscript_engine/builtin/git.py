"""The actions `git.*`: working copies of repositories, below the code folder.

They are off until `HERO_ALLOW_GIT` names a host or a repository, and `HERO_CODEROOT_DIR` a folder.

Source: notes on how herolib runs a script (parameters of `git.*`); specification, section 10.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from hero_engine.heroscript_engine import Context, action
from hero_engine.heroscript_engine.builtin.core import code_folder
from hero_engine.heroscript_engine.run import repositories
from hero_engine.heroscript_engine.run.repositories import WorkingCopy, fetch, find_copies, git, pull, reset
from hero_engine.host.programs import ProgramFailed

_Action = Literal[
    "pull", "commit", "push", "reset", "branch_create", "branch_switch", "tag_create", "tag_switch", "delete"
]
_LIGHT = "git.light"


@action("git.define")
def define(
    ctx: Context, *, coderoot: str = "", light: bool = True, log: bool = True, debug: bool = False, reload: bool = False
) -> None:
    """Choose the code folder, and whether clones come without history.

    The last three parameters have no effect: git is always logged, and nothing is cached. They are accepted because
    existing scripts pass them.
    """
    if coderoot:
        ctx.session.coderoot = str(code_folder(ctx, coderoot))
    ctx.session.values[_LIGHT] = light


@action("git.clone")
def clone(
    ctx: Context, url: str, coderoot: str = "", light: bool | None = None, recursive: bool = False
) -> dict[str, str]:
    """Make a working copy, unless it exists. The result has `path` and `commit`."""
    root = code_folder(ctx, coderoot)
    if light is None:
        light = ctx.session.values.get(_LIGHT) is not False
    folder = repositories.clone(ctx, url, root, light=light, recursive=recursive)
    return {"path": str(folder), "commit": git(ctx, folder, "rev-parse", "HEAD").strip()}


@action("git.list")
def list_copies(
    ctx: Context,
    *,
    filter: str = "",
    name: str = "",
    account: str = "",
    provider: str = "",
    coderoot: str = "",
    status_update: bool = False,
) -> list[dict[str, object]]:
    """List the working copies. With `status_update`, fetch the news of their remotes first."""
    listed: list[dict[str, object]] = []
    for copy in _select(ctx, coderoot, (provider, account, name), filter):
        if status_update:
            fetch(ctx, copy.folder, "fetch", "--quiet", "origin")
        listed.append(
            {
                "provider": copy.provider,
                "account": copy.account,
                "name": copy.name,
                "path": str(copy.folder),
                "url": git(ctx, copy.folder, "remote", "get-url", "origin").strip(),
                "branch": git(ctx, copy.folder, "rev-parse", "--abbrev-ref", "HEAD").strip(),
                "changed": bool(git(ctx, copy.folder, "status", "--porcelain")),
            }
        )
    return listed


@action("git.check")
def check(
    ctx: Context,
    *,
    filter: str = "",
    name: str = "",
    account: str = "",
    provider: str = "",
    coderoot: str = "",
    error_ignore: bool = False,
) -> list[dict[str, str]]:
    """Check that working copies are complete."""

    def look(folder: Path) -> str:
        return git(ctx, folder, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")

    return _each(_select(ctx, coderoot, (provider, account, name), filter), look, error_ignore)


@action("git.repo_action")
def repo_action(
    ctx: Context,
    action: _Action,
    *,
    filter: str = "",
    name: str = "",
    account: str = "",
    provider: str = "",
    coderoot: str = "",
    message: str = "",
    branchname: str = "",
    tagname: str = "",
    submodules: bool = False,
    error_ignore: bool = False,
) -> list[dict[str, str]]:
    """Change the selected working copies. It is an error if none is selected."""
    copies = _select(ctx, coderoot, (provider, account, name), filter)
    if action in ("delete", "reset") and not (filter or name or account or provider):
        raise ValueError(f"{action} needs filter, name, account or provider: it throws work away")
    if not copies:
        raise LookupError("no working copy is selected")
    needed = {"commit": message, "branch": branchname, "tag": tagname}.get(action.partition("_")[0], "-")
    if not needed or (needed.startswith("-") and needed != "-"):
        raise ValueError(f"{action} needs message, branchname or tagname; it is {needed!r}")

    def do(folder: Path) -> str:
        return _do(ctx, folder, action, needed, submodules=submodules)

    return _each(copies, do, error_ignore)


def _do(ctx: Context, folder: Path, what: _Action, text: str, *, submodules: bool) -> str:
    if what == "pull":
        said = pull(ctx, folder)
        if submodules:
            repositories.update_submodules(ctx, folder)
        return said
    if what == "commit":
        git(ctx, folder, "add", "--all")
        if not git(ctx, folder, "status", "--porcelain"):
            return "nothing to commit"
        return git(ctx, folder, "commit", "--quiet", f"--message={text}")
    if what == "push":
        return fetch(ctx, folder, "push", "--quiet", "origin", "HEAD")
    if what == "reset":
        return reset(ctx, folder)
    if what == "branch_create":
        return git(ctx, folder, "checkout", "--quiet", "-b", text)
    if what == "branch_switch":
        if not git(ctx, folder, "branch", "--list", text).strip():
            fetch(ctx, folder, "fetch", "--quiet", "origin", f"refs/heads/{text}:refs/heads/{text}")
        return git(ctx, folder, "checkout", "--quiet", text, "--")
    if what == "tag_create":
        return git(ctx, folder, "tag", text)
    if what == "tag_switch":
        if not git(ctx, folder, "tag", "--list", text).strip():
            fetch(ctx, folder, "fetch", "--quiet", "origin", f"refs/tags/{text}:refs/tags/{text}")
        return git(ctx, folder, "checkout", "--quiet", f"refs/tags/{text}", "--")
    repositories.remove(folder)
    return ""


def _each(copies: list[WorkingCopy], do: Callable[[Path], str], error_ignore: bool) -> list[dict[str, str]]:
    results: list[dict[str, str]] = []
    for copy in copies:
        try:
            results.append({"path": str(copy.folder), "output": do(copy.folder).strip()})
        except (ProgramFailed, OSError) as e:
            if not error_ignore:
                raise
            results.append({"path": str(copy.folder), "error": str(e)})
    return results


def _select(ctx: Context, coderoot: str, parts: tuple[str, str, str], text: str) -> list[WorkingCopy]:
    """Find copies by provider, account and name, where "" matches any, and by a part of `provider/account/name`."""
    found: list[WorkingCopy] = []
    for copy in find_copies(code_folder(ctx, coderoot)):
        place = (copy.provider, copy.account, copy.name)
        if text in "/".join(place) and all(wanted in ("", part) for wanted, part in zip(parts, place, strict=True)):
            found.append(copy)
    return found
