"""Whole folders of a run: looking through them, copying, mirroring, moving and removing them.

Built on `Workspace`. Each folder is opened beneath its place by its path, so a folder that is swapped for a link while
a function is at work leads nowhere. Links are neither followed nor copied. Every loop looks for the end of the run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.places import scratch
from hero_engine.host.workspace import Spot, Workspace

#: How many entries a function looks at before it gives up.
MAX_ENTRIES = 100_000
GLOB = re.compile(r"[*?\[]")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """What is in a folder.

    Attributes:
        path: Relative to the folder where the search began.
        is_folder: It is a folder.
        is_file: It is a regular file. What is neither is a link, a pipe, a socket or a device.
    """

    path: str
    is_folder: bool
    is_file: bool


class Trees:
    """Works on the folders of one run.

    Args:
        call: The run.
        files: Its files.
        max_entries: How many entries one function looks at; 0 for the default.
    """

    def __init__(self, call: Call, files: Workspace, max_entries: int = 0) -> None:
        self._call = call
        self._files = files
        self._left = self._most = max_entries or MAX_ENTRIES

    def walk(
        self, top: Spot, *, levels: int | None = None, skip: tuple[int, int] | None = None
    ) -> Iterator[FoundEntry]:
        """Go through a folder by name, each folder before what is in it.

        Args:
            top: The folder.
            levels: How deep; 1 for its own entries; None for no limit.
            skip: Device and number of a folder that is left out.

        Raises:
            FunctionError: There are too many entries.
            OSError: A folder cannot be opened.
        """
        pending = [("", 1)]
        while pending:
            path, level = pending.pop()
            below = []
            for name, status in self._entries(inner(top, path)):
                is_folder = stat.S_ISDIR(status.st_mode)
                if is_folder and skip == (status.st_dev, status.st_ino):
                    continue
                entry = fixed_join(path, name)
                if is_folder:
                    below.append((entry, level + 1))
                yield FoundEntry(entry, is_folder, stat.S_ISREG(status.st_mode))
            if levels is None or level < levels:
                pending += reversed(below)

    def _entries(self, folder: Spot) -> list[tuple[str, os.stat_result]]:
        """The entries of a folder, by name. Names that are not UTF-8 are left out."""
        found = []
        fd = self._files.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._count(folder)
                    if entry.name.isprintable() or _is_unicode(entry.name):
                        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                            found.append((entry.name, entry.stat(follow_symlinks=False)))
        finally:
            os.close(fd)
        return sorted(found, key=lambda item: item[0])

    def _count(self, folder: Spot) -> None:
        self._left -= 1
        if self._left < 0:
            raise FunctionError(f"more than {self._most} entries below {folder.given!r:.200}")
        if self._left % 256 == 0:
            self._call.check()

    def find(self, top: Spot, pattern: str, *, folders: bool, deep: bool = True) -> list[str]:
        """Find what matches a pattern; `*`, `?` and `[...]` stand for no slash.

        Args:
            top: The folder to look in.
            pattern: For the end of the path: a name, or several with slashes.
            folders: Look for folders instead of files.
            deep: Look in subfolders as well.

        Returns:
            Paths relative to the folder.
        """
        names = [name for name in pattern.split("/") if name]
        match = _matcher(["**", *names] if deep else names)
        levels = None if deep or "**" in names else len(names)
        entries = self.walk(top, levels=levels)
        return [e.path for e in entries if (e.is_folder if folders else e.is_file) and match(e.path)]

    def expand(self, given: str) -> list[str]:
        """Expand a path with `*`, `?` or `[...]`; without one it stands for itself if it exists.

        Returns:
            Paths as the script could have written them, by name.
        """
        if not GLOB.search(given):
            return [given] if self._files.status(self._files.find(given)) is not None else []
        fixed, pattern = split_glob(given)
        top = self._files.find(fixed or ".")
        status = self._files.status(top)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return []
        names = [name for name in pattern.split("/") if name]
        match = _matcher(names)
        entries = self.walk(top, levels=None if "**" in names else len(names))
        return [fixed_join(fixed, e.path) for e in entries if (e.is_folder or e.is_file) and match(e.path)]

    # -- changes -------------------------------------------------------------------------------------------------------

    def copy_file(self, source: Spot, target: Spot) -> None:
        """Copy a file with its permissions. The target is made or replaced.

        Raises:
            OSError: It cannot be read or written.
        """
        read = self._files.open(source, os.O_RDONLY)
        try:
            mode = stat.S_IMODE(os.fstat(read).st_mode) & 0o777
            write = self._files.open(target, os.O_WRONLY | os.O_CREAT, mode)
            try:
                if os.path.samestat(os.fstat(read), os.fstat(write)):
                    raise OSError(errno.EINVAL, "it would be copied onto itself")
                os.ftruncate(write, 0)
                while part := os.read(read, _CHUNK_BYTES):
                    self._call.check()
                    view = memoryview(part)
                    while view:
                        view = view[os.write(write, view) :]
                os.fchmod(write, mode)
            finally:
                os.close(write)
        finally:
            os.close(read)

    def copy_folder(self, source: Spot, target: Spot, *, mirror: bool = False) -> None:
        """Copy a folder with everything in it.

        Args:
            source: The folder.
            target: Made if it is missing. If it is below the source, what is in it is not copied.
            mirror: Remove from the target what the source does not have.

        Raises:
            OSError: Something cannot be read, written or removed.
        """
        self._files.make_folders(target)
        status = self._files.status(target)
        # The list comes first: the target may be below the source.
        skip = None if status is None else (status.st_dev, status.st_ino)
        entries = [e for e in self.walk(source, skip=skip) if e.is_folder or e.is_file]
        if mirror:
            wanted = {entry.path: entry.is_folder for entry in entries}
            for entry in list(self.walk(target)):
                is_right = wanted.get(entry.path) is entry.is_folder and (entry.is_folder or entry.is_file)
                if not is_right:
                    self.remove(inner(target, entry.path))
        for entry in entries:
            self._call.check()
            there = inner(target, entry.path)
            if entry.is_folder:
                self._files.make_folders(there)
            else:
                self.copy_file(inner(source, entry.path), there)

    def remove(self, spot: Spot) -> str:
        """Remove a file, a link, or a folder with everything in it.

        Returns:
            "file", "directory", "" if there is nothing, or "unknown" for what is none of these, which stays.

        Raises:
            FunctionRefused: It is an allowed place itself.
            OSError: Something cannot be removed.
        """
        try:
            with self._files.parent(spot, "deleting") as (parent, name):
                kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
                if stat.S_ISREG(kind) or stat.S_ISLNK(kind):
                    os.unlink(name, dir_fd=parent)
                    return "file"
                if not stat.S_ISDIR(kind):
                    return "unknown"
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    scratch.empty_folder(fd, self._call.check)
                finally:
                    os.close(fd)
                os.rmdir(name, dir_fd=parent)
                return "directory"
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def move(self, source: Spot, target: Spot) -> None:
        """Move a file or folder. Between file systems it is copied and removed.

        Raises:
            OSError: It cannot be moved.
        """
        try:
            with (
                self._files.parent(source, "moving") as (old, old_name),
                self._files.parent(target, "writing") as (
                    new,
                    new_name,
                ),
            ):
                os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
        except OSError as e:
            if e.errno != errno.EXDEV:
                raise
            status = self._files.status(source)
            if status is not None and stat.S_ISDIR(status.st_mode):
                self.copy_folder(source, target)
            else:
                self.copy_file(source, target)
            self.remove(source)


def inner(spot: Spot, path: str) -> Spot:
    """Name something below a folder."""
    below = f"{spot.below}/{path}" if spot.below and path else spot.below or path
    return Spot(fixed_join(spot.given, path), spot.place, below)


def fixed_join(folder: str, path: str) -> str:
    """Join as a script would write it."""
    return f"{folder.rstrip('/')}/{path}" if folder and path else folder or path


def split_glob(given: str) -> tuple[str, str]:
    """Split a path before its first part with a wildcard."""
    parts = given.split("/")
    at = next(n for n, part in enumerate(parts) if GLOB.search(part))
    return "/".join(parts[:at]) or ("/" if given.startswith("/") else ""), "/".join(parts[at:])


def _matcher(names: list[str]) -> Callable[[str], bool]:
    """Make a test for paths. `**` stands for any number of folders, and other wildcards for no slash."""
    tests = [None if name == "**" else re.compile(translate(name)).match for name in names]

    def matches(path: str) -> bool:
        parts = path.split("/")
        at = test = 0
        # Where to go on if the last `**` has to take one more part.
        again: tuple[int, int] | None = None
        while at < len(parts):
            wanted = tests[test] if test < len(tests) else _nothing
            if wanted is None:
                again = (at, test + 1)
                test += 1
            elif wanted(parts[at]):
                at, test = at + 1, test + 1
            elif again is not None:
                again = (again[0] + 1, again[1])
                at, test = again
            else:
                return False
        return all(wanted is None for wanted in tests[test:])

    return matches


def _nothing(_name: str) -> None:
    return None


def _is_unicode(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
