"""The family `git`: working copies of repositories, in the scratch folder or another one that scripts may change.

A script can write into a working copy, also into its `.git`. So before git works in one, everything is refused there by
which a repository could make git run a program or look elsewhere: settings, links, repositories in it.

Source: crate sal-git 0.1.0, git.rs and rhai.rs
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.commands.git_rules import RepositorySource, git_environment, git_options
from hero_engine.host.commands.running import ProgramNotRun, programs
from hero_engine.host.definition import Family
from hero_engine.host.programs import program_path
from hero_engine.host.trees import Trees, fixed_join, inner
from hero_engine.host.workspace import Spot, workspace

FAMILY = Family("git", "Working copies of repositories of the servers that the operator allows.", prefix="Git error: ",
                needs="git")  # fmt: skip

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
#: Settings of a repository that make git neither run a program nor look elsewhere. Others are refused.
_SETTING = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks|autocrlf|eol)"
    r"|remote\.[\w.-]+\.(url|fetch|tagopt)|branch\.[\w./-]+\.(remote|merge)|user\.(name|email)"
)
#: What `.git` must not have, because git would take objects or settings from elsewhere.
_ELSEWHERE = ("commondir", "config.worktree", "objects/info/alternates", "objects/info/http-alternates")
#: What must be no link in `.git`.
_OWN = ("", "HEAD", "config", "index", "objects", "objects/info", "refs", "packed-refs", "info", "logs")


@FAMILY.handle
class GitRepo:
    """A working copy."""

    def __init__(self, spot: Spot) -> None:
        self._spot = spot

    def path(self) -> str:
        """Return the path of the working copy."""
        return self._spot.given

    def has_changes(self, call: Call) -> bool:
        """Tell whether there are changes that are not committed."""
        return bool(self._git(call, "status", "status", "--porcelain", "--ignore-submodules=all"))

    def pull(self, call: Call) -> GitRepo:
        """Get the newest commits of the branch. There must be no local changes."""
        if self.has_changes(call):
            raise FunctionError(f"Repository at {self._spot.given} has local changes")
        self._git(call, "pull", "pull", "--quiet", "--ff-only", "origin", scheme=self._scheme(call))
        return self

    def reset(self, call: Call) -> GitRepo:
        """Discard all local changes, new files too."""
        self._git(call, "reset", "reset", "--quiet", "--hard", "HEAD")
        self._git(call, "clean", "clean", "--quiet", "-fd")
        return self

    def commit(self, call: Call, message: str) -> GitRepo:
        """Commit all changes; without changes this does nothing."""
        self._git(call, "add", "add", "--all")
        if self.has_changes(call):
            self._git(call, "commit", "commit", "--quiet", "--no-verify", f"--message={message}")
        return self

    def push(self, call: Call) -> GitRepo:
        """Send the commits of the branch to the server."""
        self._git(call, "push", "push", "--quiet", "origin", "HEAD", scheme=self._scheme(call))
        return self

    def _git(self, call: Call, title: str, *words: str, scheme: str = "none") -> str:
        folder = self._checked(call)
        return _git(call, title, "/", [f"--git-dir={folder}/.git", f"--work-tree={folder}", *words], scheme)

    def _scheme(self, call: Call) -> str:
        """Find the protocol of the server, which must be allowed; a script may have changed it."""
        config = f"{self._checked(call)}/.git/config"
        url = _git(call, "remote", "/", ["config", "--file", config, "--no-includes", "--get-all", "remote.origin.url"])
        return _allowed(call, url.strip()).scheme

    def _checked(self, call: Call) -> str:
        """Check that git may work here.

        Returns:
            The folder, as an absolute path without links.
        """
        files, given = workspace(call), self._spot.given
        try:
            folder = _real(call, self._spot)
            for name in _OWN:
                with files.parent(inner(self._spot, f".git/{name}".rstrip("/")), "reading") as (fd, last):
                    status = _look(fd, last)
                if status is not None and stat.S_ISLNK(status.st_mode):
                    raise FunctionError(f"Repository at {given} has a link in the place of .git/{name}")
            found = [name for name in _ELSEWHERE if files.status(inner(self._spot, f".git/{name}")) is not None]
            found += [e.path for e in Trees(call, files).walk(self._spot) if e.path.endswith("/.git")]
            is_folder = stat.S_ISDIR(getattr(files.status(inner(self._spot, ".git")), "st_mode", 0))
        except OSError:
            is_folder = False
        if not is_folder:
            raise FunctionError(f"Not a git repository at {given}")
        if found:
            raise FunctionError(f"Repository at {given} has {found[0]}, which is not allowed here")
        listed = _git(
            call, "config", "/",
            ["config", "--file", f"{folder}/.git/config", "--no-includes", "--null", "--name-only", "--list"],
        )  # fmt: skip
        odd = next((name for name in filter(None, listed.split("\0")) if not _SETTING.fullmatch(name)), None)
        if odd is not None:
            raise FunctionError(f"Repository at {given} has the setting {odd!r:.100}, which is not allowed here")
        return folder


@FAMILY.handle
class GitTree:
    """A folder of working copies, each at server/account/name."""

    def __init__(self, spot: Spot) -> None:
        self._spot = spot

    def list(self, call: Call) -> list[str]:
        """Return the paths of all working copies in the folder."""
        return [repo.path() for repo in self._all(call)]

    def find(self, call: Call, pattern: str) -> Sequence[GitRepo]:
        """Find working copies by path, by path below the folder, or by name; `*` at the end stands for anything."""
        found = []
        for repo in self._all(call):
            path = repo.path()
            names = (path, path[len(self._spot.given) :].lstrip("/"), path.rpartition("/")[2])
            if pattern.endswith("*"):
                if any(name.startswith(pattern[:-1]) for name in names):
                    found.append(repo)
            elif pattern in names:
                found.append(repo)
        return found

    def get(self, call: Call, name: str) -> GitRepo:
        """Return the working copy of this name, or the one of this address, which is cloned if it is missing."""
        if name.startswith(("http", "git@")) or "://" in name:
            return self._clone(call, name)
        found = self.find(call, name)
        if not found:
            raise FunctionError(f"Repository '{name}' not found.")
        if len(found) > 1:
            raise FunctionError(
                f"Multiple repositories ({len(found)}) found matching '{name}'. Use find() for patterns or provide a "
                "more specific name for get()."
            )
        return found[0]

    def _all(self, call: Call) -> Sequence[GitRepo]:
        try:
            entries = list(Trees(call, workspace(call)).walk(self._spot))
        except OSError as e:
            raise FunctionError(f"Failed to find git repositories: {e.strerror}") from None
        paths = sorted(e.path[: -len("/.git")] for e in entries if e.is_folder and e.path.endswith("/.git"))
        return [GitRepo(inner(self._spot, path)) for path in paths]

    def _clone(self, call: Call, url: str) -> GitRepo:
        source, files = _allowed(call, url), workspace(call)
        place = fixed_join(source.host.replace(":", "_") or "local", source.path)
        spot, above = inner(self._spot, place), inner(self._spot, place.rpartition("/")[0])
        try:
            if files.status(spot) is not None:
                return GitRepo(spot)
            files.make_folders(above)
            # Cloned beside its place and then moved, so that no other job sees an incomplete copy.
            part = inner(above, f".hero-{os.urandom(8).hex()}")
            try:
                target = f"{_real(call, above)}/{part.below.rpartition('/')[2]}"
                words = ["clone", "--quiet", "--depth", "1", "--no-recurse-submodules", "--", source.url, target]
                _git(call, "clone", "/", words, source.scheme)
                Trees(call, files).move(part, spot)
            finally:
                Trees(call, files).remove(part)
        except OSError as e:
            raise FunctionError(f"Git clone error: {e.strerror}") from None
        return GitRepo(spot)


@FAMILY.function(blocks=True)
def git_tree_new(call: Call, folder: str) -> GitTree:
    """Use a folder for working copies; it is made if it is missing.

    Example:
        let tree = git_tree_new("code");
        let repo = tree.get("https://github.com/hero/site");
        file_write(repo.path() + "/news.txt", "today");
        repo.commit("news").push();
    """
    files = workspace(call)
    spot = files.find(folder, write=True)
    try:
        status = files.status(spot)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise FunctionError(f"Invalid base path: {folder}")
        files.make_folders(spot)
    except OSError as e:
        raise FunctionError(f"Error creating directory structure: {e.strerror}") from None
    return GitTree(spot)


@FAMILY.function(blocks=True)
def git_clone(call: Call, url: str) -> GitRepo:
    """Clone a repository without its history, into the scratch folder.

    Example:
        let repo = git_clone("https://github.com/hero/site");
        print(repo.path());
    """
    return git_tree_new(call, fixed_join(workspace(call).scratch, "git"))._clone(call, url)


# -- shared ------------------------------------------------------------------------------------------------------------


def _allowed(call: Call, url: str) -> RepositorySource:
    try:
        source = RepositorySource.parse(url)
    except ValueError:
        raise FunctionError(f"Could not parse git URL: {url:.200}") from None
    if not source.allowed_by(call.rights.git, ("https",)):
        shown = source.host if source.scheme == "https" else f"{source.scheme}://{source.host}"
        raise FunctionError(
            f'{shown} is not allowed here; the operator enables it with git = ["{shown}"] in [actors.allow]'
        )
    return source


def _git(call: Call, title: str, folder: str, words: list[str], scheme: str = "none") -> str:
    """Run git, and return what it writes."""
    program = program_path("git")
    if not program:
        raise FunctionError("git is not installed")
    env = git_environment(
        call.asker.caller_id or "hero",
        scheme,
        os.environ.get("HERO_SSH_KEY", ""),
        os.environ.get("HERO_SSH_KNOWN_HOSTS", ""),
    )
    try:
        result = programs(call).run(program, ["git", *git_options(), *words], env=env, folder=folder)
    except ProgramNotRun as e:
        raise FunctionError(f"Git {title} error: {e.reason}") from None
    if not result.success:
        raise FunctionError(f"Git {title} error: {result.stderr.strip()}")
    return result.stdout


def _real(call: Call, spot: Spot) -> str:
    """Find the absolute path of a folder, which is in its place and has no links."""
    fd = workspace(call).open(spot, _FOLDER)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115  as the kernel names it
    finally:
        os.close(fd)


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
