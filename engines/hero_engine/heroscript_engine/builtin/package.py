"""The actions `osal.package_*`: software packages of the system. They are off until `HERO_ALLOW_PACKAGES` names a
package.

They run the system's package manager as the actor's user, who must be allowed to install; nothing here gains rights.

Source: notes on how herolib runs a script (parameters of `osal.package_*`); manuals of the programs below.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import not_allowed, on_list
from hero_engine.host.environment import program_environ
from hero_engine.host.programs import PATH, run_program


@dataclass(frozen=True, slots=True)
class _Commands:
    """The arguments of a package manager, without the names of packages."""

    install: tuple[str, ...]
    remove: tuple[str, ...]
    refresh: tuple[str, ...]


#: By the name of the program. None of these commands asks a question.
_COMMANDS = {
    "apt-get": _Commands(("install", "-y", "--no-install-recommends", "--"), ("remove", "-y", "--"), ("update",)),
    "dnf": _Commands(("install", "-y", "--"), ("remove", "-y", "--"), ("makecache",)),
    "apk": _Commands(("add", "--no-interactive", "--"), ("del", "--no-interactive", "--"), ("update",)),
    "pacman": _Commands(("-S", "--noconfirm", "--needed", "--"), ("-R", "--noconfirm", "--"), ("-Sy",)),
    "brew": _Commands(("install", "--"), ("uninstall", "--"), ("update",)),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_@-]*")


@action("osal.package_install", "osal.package_remove")
def change(ctx: Context, *names: str, name: str = "") -> list[str]:
    """Install or remove packages, named by arguments or by `name`. The result is their names."""
    wanted = [*names, *(part.strip() for part in name.split(",") if part.strip())]
    if not wanted:
        raise ValueError("no package is named")
    for one in wanted:
        # Only a name, because package managers also accept files, addresses and options.
        if not _NAME.fullmatch(one) or not on_list(ctx.settings.packages, one):
            raise not_allowed(f"package {one!r:.80}", "HERO_ALLOW_PACKAGES", ctx.settings.packages)
    program, commands = _find_program(ctx)
    words = commands.install if ctx.action.name == "package_install" else commands.remove
    _run(ctx, [program, *words, *wanted])
    return wanted


@action("osal.package_refresh")
def refresh(ctx: Context) -> None:
    """Update the lists of available packages."""
    if not ctx.settings.packages:
        raise not_allowed("osal.package_refresh", "HERO_ALLOW_PACKAGES")
    program, commands = _find_program(ctx)
    _run(ctx, [program, *commands.refresh])


def _find_program(ctx: Context) -> tuple[str, _Commands]:
    chosen = ctx.settings.package_manager
    for name in [chosen] if chosen else _COMMANDS:
        program, commands = shutil.which(name, path=PATH), _COMMANDS.get(Path(name).name)
        if program and commands:
            return program, commands
    known = ", ".join(_COMMANDS)
    raise FileNotFoundError(f"there is no package manager {chosen or known}; HERO_PACKAGE_MANAGER names one of {known}")


def _run(ctx: Context, words: list[str]) -> None:
    env = {"PATH": PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOMEBREW_NO_AUTO_UPDATE": "1"}
    with tempfile.TemporaryDirectory(prefix="hero-") as scratch:
        env["HOME"] = scratch
        ended = run_program(
            words, folder=Path(scratch), env=program_environ({}, base=env), timeout_s=ctx.remaining_s, joined=True
        )
    if ended.output:
        print(ended.output.rstrip("\n"))
    ended.check(" ".join(words[:2]))
