"""The actions `osal.package_*`: software of the system. Off until `HERO_ALLOW_PACKAGES` names a package.

The system's package manager is run as the actor's user, which must be one that may install: nothing here raises rights.

Source: notes on how herolib runs a script (parameters of `osal.package_*`); manuals of the programs below.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hero_engine.heroscript_engine.run.actions import action
from hero_engine.heroscript_engine.run.context import Context
from hero_engine.host.programs import PATH, TAIL_CHARS, ProgramFailed, run_program


@dataclass(frozen=True, slots=True)
class _Words:
    """What a package manager is told, before the names."""

    install: tuple[str, ...]
    remove: tuple[str, ...]
    refresh: tuple[str, ...]


#: By the program's name. None of them asks.
_MANAGERS = {
    "apt-get": _Words(("install", "-y", "--no-install-recommends", "--"), ("remove", "-y", "--"), ("update",)),
    "dnf": _Words(("install", "-y", "--"), ("remove", "-y", "--"), ("makecache",)),
    "apk": _Words(("add", "--no-interactive", "--"), ("del", "--no-interactive", "--"), ("update",)),
    "pacman": _Words(("-S", "--noconfirm", "--needed", "--"), ("-R", "--noconfirm", "--"), ("-Sy",)),
    "brew": _Words(("install", "--"), ("uninstall", "--"), ("update",)),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_@-]*")


@action("osal.package_install")
def install(ctx: Context, *names: str, name: str = "") -> list[str]:
    """Install packages, named as arguments or by `name`; the result is their names."""
    return _change(ctx, "install", names, name)


@action("osal.package_remove")
def remove(ctx: Context, *names: str, name: str = "") -> list[str]:
    """Remove packages."""
    return _change(ctx, "remove", names, name)


@action("osal.package_refresh")
def refresh(ctx: Context) -> None:
    """Fetch the lists of what there is."""
    if not ctx.settings.packages:
        raise PermissionError("osal.package_refresh is not allowed here: HERO_ALLOW_PACKAGES is not set")
    program, words = _manager(ctx)
    _run(ctx, [program, *words.refresh])


def _change(ctx: Context, what: str, names: tuple[str, ...], name: str) -> list[str]:
    wanted = [*names, *(part.strip() for part in name.split(",") if part.strip())]
    if not wanted:
        raise ValueError("no package is named")
    for one in wanted:
        # A name only: not a file, an address or an option, which package managers take as well.
        if not _NAME.fullmatch(one) or not any(fnmatchcase(one, item) for item in ctx.settings.packages):
            known = ", ".join(ctx.settings.packages) or "nothing"
            raise PermissionError(f"package {one!r:.80} is not allowed here; HERO_ALLOW_PACKAGES allows: {known}")
    program, words = _manager(ctx)
    _run(ctx, [program, *(words.install if what == "install" else words.remove), *wanted])
    return wanted


def _manager(ctx: Context) -> tuple[str, _Words]:
    chosen = ctx.settings.package_manager
    for name in [chosen] if chosen else _MANAGERS:
        program, words = shutil.which(name, path=PATH), _MANAGERS.get(Path(name).name)
        if program and words:
            return program, words
    known = ", ".join(_MANAGERS)
    raise FileNotFoundError(f"there is no package manager {chosen or known}; HERO_PACKAGE_MANAGER names one of {known}")


def _run(ctx: Context, words: list[str]) -> None:
    env = {"PATH": PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOMEBREW_NO_AUTO_UPDATE": "1"}
    with tempfile.TemporaryDirectory(prefix="hero-") as scratch:
        env["HOME"] = scratch
        ended = run_program(words, folder=Path(scratch), env=env, timeout_s=ctx.remaining_s, joined=True)
    if ended.output:
        print(ended.output.rstrip("\n"))  # noqa: T201  a script's output is meant for the job's log
    if ended.code != 0:
        title = " ".join(words[:2])
        raise ProgramFailed(f"{title} ended with exit code {ended.code}: {ended.output[-TAIL_CHARS:].strip()}")
