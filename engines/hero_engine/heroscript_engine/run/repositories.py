"""Git for scripts: which repositories may be fetched, where their copies lie, and the program `git` itself.

A copy lies at `provider/account/name` below the folder of code. Nothing but what is passed here configures git: no file
of the system or the user, no variable of the job, no hook of a repository, no other protocol than the one that was
allowed, no redirect, and it never asks anybody.

RepositorySource: https://git-scm.com/docs/git (environment variables), https://git-scm.com/docs/git-config
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from hero_engine.heroscript_engine.run.context import Context
from hero_engine.host.programs import PATH, TAIL_CHARS, ProgramFailed, run_program

#: Named in the allow-list without their scheme.
_USUAL_SCHEMES = frozenset({"https", "ssh"})
_SCHEMES = _USUAL_SCHEMES | {"http", "git", "file"}
_SCP_FORM = re.compile(r"(?:\w[\w.-]*@)?(\w[\w.-]*):(?!//)(.+)")
#: No dash in front, which a program would take for an option.
_NETWORK = re.compile(r"(?:\w[\w.-]*@)?(?:\w[\w.-]*|\[[\da-fA-F:.]+\])(?::\d+)?")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
}


@dataclass(frozen=True, slots=True)
class RepositorySource:
    """Where a repository is fetched from.

    Attributes:
        url: As git gets it.
        scheme: https, ssh, http, git or file.
        host: With its port, where it names one; "" for a file.
        path: Within the host, without `.git`.
    """

    url: str
    scheme: str
    host: str
    path: str

    @classmethod
    def parse(cls, url: str) -> RepositorySource:
        """Read an address: a URL, `user@host:path`, or the path of a folder on this machine.

        Raises:
            ValueError: It is none.
        """
        if url.startswith("/"):
            url = f"file://{url}"
        if "://" not in url:
            match = _SCP_FORM.fullmatch(url)
            if match is None:
                raise ValueError(f"{url!r:.200} is no address of a repository")
            scheme, host, path = "ssh", match[1], match[2]
        else:
            parts = urlsplit(url)
            scheme, host, path = parts.scheme, parts.netloc.rpartition("@")[2], parts.path
            if parts.query or parts.fragment or (scheme != "ssh" and "@" in parts.netloc):
                raise ValueError(f"{url!r:.200} has more than host and path")
            if parts.netloc and not _NETWORK.fullmatch(parts.netloc):
                raise ValueError(f"{url!r:.200} is no address of a repository")
        if scheme not in _SCHEMES or bool(host) is (scheme == "file"):
            raise ValueError(f"{url!r:.200} is no address of a repository")
        if scheme == "file":
            path = str(Path(path).resolve())
            url = f"file://{path}"
        path = path.strip("/").removesuffix(".git")
        if len(path.split("/")) < 2 or not all(_PART.fullmatch(part) for part in path.split("/")):
            raise ValueError(f"{url!r:.200} has no path of the form account/name")
        return cls(url, scheme, host.lower(), path)

    def allowed_by(self, items: Iterable[str]) -> bool:
        """Is it on a list? See `EngineSettings.git`."""
        shown = f"{self.host}/{self.path}"
        for item in items:
            scheme, _, wanted = item.removesuffix(".git").rpartition("://")
            if self.scheme != scheme if scheme else self.scheme not in _USUAL_SCHEMES:
                continue
            if fnmatchcase(shown if "/" in wanted else self.host, wanted):
                return True
        return False

    @property
    def place(self) -> Path:
        """Where its copy lies: provider/account/name."""
        provider = self.host.removesuffix(".com").replace(":", "_") or "local"
        parts = self.path.split("/")
        return Path(provider, "_".join(parts[:-1]) if self.host else parts[-2], parts[-1])


@dataclass(frozen=True, slots=True)
class Copy:
    """A working copy.

    Attributes:
        folder: Where it lies.
        provider: First part of its place.
        account: Second part.
        name: Third part.
    """

    folder: Path
    provider: str
    account: str
    name: str


def find_copies(root: Path) -> Iterator[Copy]:
    """All working copies below a folder of code, sorted by place."""
    for git_folder in sorted(root.glob("*/*/*/.git")):
        folder = git_folder.parent
        if folder.resolve() == folder and git_folder.is_dir() and not git_folder.is_symlink():
            yield Copy(folder, *folder.relative_to(root).parts)


def check_source(ctx: Context, url: str) -> RepositorySource:
    """Read an address and hold it against the list.

    Raises:
        PermissionError: It is not allowed.
        ValueError: It is no address.
    """
    source = RepositorySource.parse(url)
    if not source.allowed_by(ctx.settings.git):
        known = ", ".join(ctx.settings.git) or "nothing"
        raise PermissionError(f"{source.url} is not allowed here; HERO_ALLOW_GIT allows: {known}")
    return source


def clone(ctx: Context, url: str, root: Path, *, light: bool, recursive: bool = False) -> Path:
    """Make a working copy if there is none.

    Args:
        ctx: Of the run.
        url: Where from.
        root: Folder of code.
        light: Without history.
        recursive: With its submodules, which must be allowed too.

    Returns:
        Its folder.
    """
    source = check_source(ctx, url)
    folder = root / source.place
    if not (folder / ".git").is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place and then moved, so that another job never sees half of it.
        with tempfile.TemporaryDirectory(prefix=".hero-", dir=folder.parent) as scratch:
            depth = ("--depth", "1") if light else ()
            git(
                ctx,
                folder.parent,
                "clone",
                "--quiet",
                *depth,
                "--",
                source.url,
                f"{scratch}/copy",
                scheme=source.scheme,
            )
            try:
                Path(scratch, "copy").rename(folder)
            except OSError:
                if not (folder / ".git").is_dir():
                    raise
    if recursive:
        update_submodules(ctx, folder)
    return folder


def fetch_for_include(ctx: Context, url: str, *, pull: bool, reset: bool) -> Path:
    """A working copy to include scripts from, below `HERO_CODEROOT_DIR`.

    Args:
        ctx: Of the run.
        url: Where from.
        pull: Fetch what is new.
        reset: Throw away local changes first.
    """
    if not ctx.settings.coderoot_dir:
        raise PermissionError("git_url is not allowed here: HERO_CODEROOT_DIR is not set")
    folder = clone(ctx, url, Path(ctx.settings.coderoot_dir).resolve(), light=True)
    if reset:
        git(ctx, folder, "reset", "--quiet", "--hard")
        git(ctx, folder, "clean", "--quiet", "-fd")
    if pull:
        fetch(ctx, folder, "pull", "--quiet", "--ff-only", "origin")
    return folder


def fetch(ctx: Context, folder: Path, *words: str) -> str:
    """Run a command of git that reaches the copy's remote, which is held against the list again."""
    source = check_source(ctx, git(ctx, folder, "remote", "get-url", "origin").strip())
    return git(ctx, folder, *words, scheme=source.scheme)


def update_submodules(ctx: Context, folder: Path) -> None:
    """Fetch the submodules of a copy, and theirs, each held against the list."""
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
        ctx: Of the run.
        folder: Where.
        words: The command.
        scheme: The only protocol that it may use.

    Returns:
        What it wrote.

    Raises:
        ProgramFailed: It ended otherwise than with 0, or the job's time was up.
    """
    program = shutil.which("git", path=PATH)
    if program is None:
        raise FileNotFoundError("there is no program git")
    author = ctx.caller_id or "hero"
    env = {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_ASKPASS": "/bin/false",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSH_COMMAND": shlex.join(ssh_words(ctx)),
        "GIT_TERMINAL_PROMPT": "0",
    }
    env |= {
        f"GIT_{who}_{what}": text
        for who in ("AUTHOR", "COMMITTER")
        for what, text in (("NAME", author), ("EMAIL", "hero@localhost"))
    }
    options = [part for name, value in _CONFIG.items() for part in ("-c", f"{name}={value}")]
    ended = run_program([program, *options, *words], folder=folder, env=env, timeout_s=ctx.remaining_s)
    if ended.code != 0:
        said = (ended.error or ended.output)[-TAIL_CHARS:].strip()
        raise ProgramFailed(f"git {words[0]} ended with exit code {ended.code}: {said}")
    return ended.output


def ssh_words(ctx: Context) -> list[str]:
    """The command of ssh, which never asks, trusts known machines only, and uses the operator's key if there is one."""
    settings = ctx.settings
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "PermitLocalCommand=no"]
    options += ["ClearAllForwardings=yes", "ForwardAgent=no", "ControlMaster=no", "ControlPath=none"]
    if settings.ssh_known_hosts:
        options += [f"UserKnownHostsFile={settings.ssh_known_hosts}", "GlobalKnownHostsFile=/dev/null"]
    words = [shutil.which("ssh", path=PATH) or "ssh", "-F", "/dev/null"]
    if settings.ssh_key:
        words += ["-i", settings.ssh_key]
        options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
    return words + [part for option in options for part in ("-o", option)]


def remove(folder: Path) -> None:
    """Remove a copy whole."""
    # Out of sight at once: a copy that is half removed would be taken for one.
    doomed = Path(tempfile.mkdtemp(prefix=".hero-", dir=folder.parent))
    os.rename(folder, doomed / folder.name)  # noqa: PTH104  pathlib's says no more
    shutil.rmtree(doomed)
