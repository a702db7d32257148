"""The files of a run: its scratch folder, its working folder, and the places that the operator allows.

`workspace(call)` makes it when a function first asks, and the end of the run removes the scratch folder. Functions name
a file as the script does; this module finds the allowed place and opens the file beneath it (`confined`). Invariant:
what a script hears of a path outside is the same text whether it exists or not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from hero_engine.errors import FunctionError, FunctionRefused
from hero_engine.host.call import Call
from hero_engine.host.places import scratch
from hero_engine.host.places.confined import Outside, open_beneath

_KEY = "workspace"
#: Longest path, in bytes. Source: PATH_MAX of Linux, with its final zero
_MAX_PATH_BYTES = 4095
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class AllowedPlace:
    """An allowed folder or file.

    Attributes:
        path: Its absolute path.
        writable: Whether scripts may change what is in it.
    """

    path: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of a script in one of the places.

    Attributes:
        given: The path as the script wrote it, for messages.
        place: The place.
        below: The path relative to the place; "" for the place itself.
    """

    given: str
    place: AllowedPlace
    below: str


class Workspace:
    """The files of one run. Made by `workspace`.

    Args:
        call: The run.
    """

    def __init__(self, call: Call) -> None:
        rights = call.rights
        self._call = call
        self._scratch = scratch.new_scratch() if rights.scratch else ""
        places = [AllowedPlace(path, True) for path in (self._scratch, *rights.write) if path]
        places += [AllowedPlace(path, False) for path in rights.read]
        # The most special place decides; of equal ones the first, which can be written.
        self._places = sorted(places, key=lambda place: -len(place.path))
        self._folders: dict[str, int] = {}
        self._working = Spot(".", places[0], "") if places else None

    @property
    def folder(self) -> str:
        """The working folder, as an absolute path, for programs that run in it.

        Raises:
            FunctionRefused: The run has none.
        """
        spot = self._need_working(".", "using")
        return f"{spot.place.path}/{spot.below}" if spot.below else spot.place.path

    @property
    def scratch(self) -> str:
        """The scratch folder, as an absolute path; "" if the run has none."""
        return self._scratch

    # -- from paths to places ------------------------------------------------------------------------------------------

    def find(self, path: str, *, write: bool = False, verb: str = "") -> Spot:
        """Find the place of a path. This opens nothing.

        Args:
            path: As the script wrote it.
            write: Whether it shall be changed.
            verb: What the function does, for the refusal; "" for "reading" or "writing".

        Raises:
            FunctionRefused: The text is no path, or no allowed place has it.
        """
        _check_text(path)
        verb = verb or ("writing" if write else "reading")
        if not path.startswith("/"):
            working = self._need_working(path, verb)
            spot = Spot(path, working.place, _joined(working.below, path))
        else:
            found = next((place for place in self._places if _has(place.path, path, write, place.writable)), None)
            if found is None:
                raise not_allowed(verb, path)
            spot = Spot(path, found, path[len(found.path) :].strip("/"))
        if write and not spot.place.writable:
            raise not_allowed(verb, path)
        return spot

    def change_folder(self, spot: Spot) -> None:
        """Make a folder the working folder of the run."""
        fd = self.open(spot, _FOLDER)
        try:
            # As the kernel names both, so that later paths may go up from here.
            there = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
            root = os.readlink(f"/proc/self/fd/{self._root(spot.place)}")  # noqa: PTH115
        finally:
            os.close(fd)
        self._working = Spot(".", spot.place, there[len(root) :].strip("/"))

    def _need_working(self, path: str, verb: str) -> Spot:
        if self._working is None:
            raise not_allowed(verb, path)
        return self._working

    # -- from places to descriptors ------------------------------------------------------------------------------------

    def open(self, spot: Spot, flags: int, mode: int = 0o644, *, any_kind: bool = False) -> int:
        """Open a file or folder; see `open_beneath`.

        Raises:
            FunctionRefused: It leads out of its place, or is neither file nor folder.
            OSError: It cannot be opened.
        """
        root = self._root(spot.place)
        try:
            if not stat.S_ISDIR(os.fstat(root).st_mode):
                # The place is a file. It is opened anew, because this descriptor is a mere look.
                if spot.below or not stat.S_ISREG(os.fstat(root).st_mode):
                    raise Outside
                return os.open(f"/proc/self/fd/{root}", (flags & ~os.O_CREAT) | os.O_NONBLOCK | os.O_CLOEXEC)
            return open_beneath(root, spot.below, flags, mode, any_kind=any_kind)
        except Outside:
            verb = "writing" if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else "reading"
            raise not_allowed(verb, spot.given) from None

    def status(self, spot: Spot) -> os.stat_result | None:
        """Look at a file or folder, through links that stay in the place. None if there is none."""
        try:
            fd = self.open(spot, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def parent(self, spot: Spot, verb: str) -> Iterator[tuple[int, str]]:
        """Open the folder that a path is in, to do something to the entry itself, such as removing it.

        Yields:
            The folder's descriptor, and the name in it.

        Raises:
            FunctionRefused: The path is an allowed place itself, or ends in `.` or `..`.
            OSError: The folder cannot be opened.
        """
        above, _, name = spot.below.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            raise not_allowed(verb, spot.given)
        fd = self.open(Spot(spot.given, spot.place, above), _FOLDER)
        try:
            yield fd, name
        finally:
            os.close(fd)

    def make_folders(self, spot: Spot) -> None:
        """Make a folder and those above it, as far as they are missing.

        Raises:
            FunctionRefused: The path leads out of its place.
            OSError: A folder cannot be made.
        """
        made = ""
        for part in filter(None, spot.below.split("/")):
            made = _joined(made, part)
            step = Spot(spot.given, spot.place, made)
            if part in (".", "..") or self.status(step) is not None:
                continue
            with self.parent(step, "writing") as (fd, name), contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=fd)
        os.close(self.open(spot, os.O_PATH | os.O_DIRECTORY))

    def _root(self, place: AllowedPlace) -> int:
        fd = self._folders.get(place.path)
        if fd is None:
            try:
                fd = self._folders[place.path] = os.open(place.path, os.O_PATH | os.O_CLOEXEC)
            except OSError as e:
                raise FunctionError(f"an allowed folder cannot be opened: {e.strerror}") from None
        return fd

    # -- contents ------------------------------------------------------------------------------------------------------

    def read(self, spot: Spot) -> bytes:
        """Read a file.

        Raises:
            OSError: It cannot be read, is a folder, or is larger than a script may read.
        """
        most = self._call.rights.max_file_bytes
        with os.fdopen(self.open(spot, os.O_RDONLY), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            parts, left = [], most + 1
            # Not by its size alone: a file may grow, and those of some file systems do not know it.
            while left > 0 and (part := file.read(min(left, _MIB))):
                self._call.check()
                parts.append(part)
                left -= len(part)
        if left <= 0:
            raise too_large(max(size, most + 1), most)
        return b"".join(parts)

    def write(self, spot: Spot, content: bytes, *, append: bool = False) -> None:
        """Write a file; make it, and the folders above it, if they are missing.

        Raises:
            OSError: It cannot be written, is a folder, or the content is larger than a script may write.
        """
        most = self._call.rights.max_file_bytes
        if len(content) > most:
            raise too_large(len(content), most)
        above = spot.below.rstrip("/").rpartition("/")[0]
        if above:
            self.make_folders(Spot(spot.given, spot.place, above))
        # Not O_TRUNC: a device must not notice.
        fd = self.open(spot, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else 0))
        with os.fdopen(fd, "wb", buffering=0) as file:
            if not append:
                file.truncate(0)
            view = memoryview(content)
            while view:
                self._call.check()
                view = view[file.write(view[:_MIB]) :]

    def give_up_scratch(self) -> str:
        """Leave the removal of the scratch folder to the caller, because something still works in it.

        Returns:
            Its path; "" if there is none.
        """
        path, self._scratch = self._scratch, ""
        return path

    def close(self) -> None:
        """Close what is open and remove the scratch folder."""
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()
        if self._scratch:
            scratch.remove_tree(self._scratch)


def workspace(call: Call) -> Workspace:
    """Return the files of a run; the first call makes its scratch folder."""
    found: Workspace | None = call.values.get(_KEY)
    if found is None:
        found = call.values[_KEY] = Workspace(call)
        call.on_close(found.close)
    return found


def not_allowed(verb: str, path: str) -> FunctionRefused:
    """Make the refusal of a path. It never says more, so that nobody learns what exists outside."""
    return FunctionRefused(f"os: {verb} {path!r:.200} is not allowed")


def too_large(size: int, most: int) -> OSError:
    """Make the error for a file that is larger than the operator allows."""
    return OSError(errno.EFBIG, f"{_shown(size)} is more than max_file_bytes ({_shown(most)})")


def _shown(size: int) -> str:
    return f"{size / _MIB:.0f} MiB" if size % _MIB == 0 or size > 100 * _MIB else f"{size} bytes"


def _check_text(path: str) -> None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _MAX_PATH_BYTES or "\0" in path or "\n" in path:
        shown = path[:200].encode("utf-8", "replace").decode()
        raise FunctionRefused(f"os: {shown!r} is not a path")


def _joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def _has(place: str, path: str, write: bool, writable: bool) -> bool:
    """Tell whether a path begins with that of a place. It only picks the place: opening beneath it is what confines."""
    return (writable or not write) and (path == place or path.startswith(place.rstrip("/") + "/"))
