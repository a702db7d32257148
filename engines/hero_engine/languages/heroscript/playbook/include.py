"""Follows `!!play.include`: appends the actions of other files to a playbook.

It decides what is included from where. `files` reads the file system, and the caller runs git.

Source: HeroScript specification, section 7 [Q42].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hero_engine.languages.heroscript.playbook.action import Action
from hero_engine.languages.heroscript.playbook.files import list_scripts, read_script, real_path
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.errors import LoadError

INCLUDE_FILTER = "play.include,play.run"

FetchGit = Callable[[str, bool, bool], Path]


def follow_includes(
    playbook: Playbook,
    *,
    base: Path | None = None,
    jail: Path | Sequence[Path] | None = None,
    fetch_git: FetchGit | None = None,
) -> list[Action]:
    """Append what every pending include asks for until none is left, and mark the includes as done.

    Args:
        playbook: The playbook to complete.
        base: The folder for relative paths in a text without a path; None for the current folder. Relative paths in a
            file start from the file's folder.
        jail: Nothing outside this folder, or these folders, may be included; None allows everything.
        fetch_git: Called with the address, `git_pull` and `git_reset`; makes a working copy and returns its folder,
            whose files may be included from then on. Without it, `git_url` is an error.

    Returns:
        The actions that were appended. Each file is read only once: another include of it, also by itself, appends
        nothing and is marked as done.

    Raises:
        LoadError: A path does not exist, cannot be read or is outside the jail, or the include is malformed.
        ParseError: An included text is not HeroScript.
    """
    # The file that the playbook came from counts as read. If its path is a folder or just a name, this does no harm.
    seen: set[Path] = {real_path(playbook.path)} if playbook.path else set()
    added: list[Action] = []
    jails = None if jail is None else [real_path(jail)] if isinstance(jail, Path) else [real_path(one) for one in jail]
    while pending := playbook.find(INCLUDE_FILTER):
        for action in pending:
            for script in list_scripts(_target(action, base, jails, fetch_git)):
                real = real_path(script)
                if real in seen:
                    continue
                seen.add(real)
                text = read_script(script)
                added += playbook.add(text, path=str(script), replace=_replacements(action), priority=action.priority)
            action.done = True
    return added


def _target(action: Action, base: Path | None, jails: list[Path] | None, fetch_git: FetchGit | None) -> Path:
    params = action.params
    if params.get_default("git_url", ""):
        if fetch_git is None:
            raise _malformed(action, "git_url", "git_url is not allowed here")
        pull, reset = params.get_default_false("git_pull"), params.get_default_false("git_reset")
        copy = path = fetch_git(params.get("git_url"), pull, reset)
        if jails is not None:
            jails.append(real_path(copy))
        inside = params.get_default("path", "")
        path = path / inside if inside else path
    else:
        text = params.get_default("path", "")
        if not text:
            raise _malformed(action, "path", "an include needs path or git_url")
        path = Path(text)
        path = path if path.is_absolute() else _base_of(action, base) / path
    real = real_path(path)
    if jails is not None and not any(real.is_relative_to(one) for one in jails):
        allowed = " and ".join(map(str, jails)) or "what may be included"
        raise _malformed(action, "path", f"path is outside of {allowed}: {path}")
    return path


def _base_of(action: Action, base: Path | None) -> Path:
    own = action.place.path if action.place else ""
    return Path(own).parent if own else base or Path()


def _replacements(action: Action) -> dict[str, str]:
    text = action.params.get_default("replace", "")
    words: dict[str, str] = {}
    for item in text.split(",") if text else ():
        parts = item.strip(" '\"").split(":")
        if len(parts) != 2:
            raise _malformed(action, "replace", f"replace needs key:value items, found: {item}")
        words[parts[0].strip(" ")] = parts[1].strip(" ")
    return words


def _malformed(action: Action, key: str, message: str) -> LoadError:
    return LoadError(f"{action.full_name}: {message}", place=action.params.place_of(key))
