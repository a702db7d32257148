"""The family `os`: files and folders.

Relative paths are below the run's own scratch folder. The sentences of results and errors are those of the crate.

Source: crate sal-os 0.1.2, fs.rs and download.rs
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.trees import GLOB, Trees, fixed_join
from hero_engine.host.workspace import Spot, Workspace, workspace

FAMILY = Family("os", "Files and folders. Relative paths are below the scratch folder of the run.")


@FAMILY.function(needs="read")
def exist(call: Call, path: str) -> bool:
    """Tell whether there is a file or folder. What the script may not read does not exist.

    Example:
        if exist("report.txt") { print(file_read("report.txt")) }
    """
    try:
        return _status(call, path) is not None
    except (FunctionError, OSError):
        return False


@FAMILY.function(needs="write")
def mkdir(call: Call, path: str) -> str:
    """Make a folder, and those above it.

    Example:
        mkdir("out/2026");                // "Successfully created directory 'out/2026'"
    """
    files = workspace(call)
    spot = files.find(path, write=True)
    with _failing("Failed to create parent directories"):
        status = files.status(spot)
        if status is not None:
            if not stat.S_ISDIR(status.st_mode):
                raise FunctionError(f"Path '{path}' exists but is not a directory")
            return f"Directory '{path}' already exists"
        files.make_folders(spot)
    return f"Successfully created directory '{path}'"


@FAMILY.function(needs="write", blocks=True)
def delete(call: Call, path: str) -> str:
    """Remove a file, or a folder with everything in it. An allowed folder itself is never removed.

    Example:
        delete("out");                    // "Successfully deleted directory 'out'"
    """
    files = workspace(call)
    with _failing("Failed to delete"):
        kind = Trees(call, files).remove(files.find(path, write=True, verb="deleting"))
    if kind == "unknown":
        raise FunctionError(f"Unknown file type at '{path}'")
    return f"Successfully deleted {kind} '{path}'" if kind else f"Nothing to delete at '{path}'"


@FAMILY.function(needs="write", blocks=True)
def copy(call: Call, source: str, target: str) -> str:
    """Copy a file or a folder, or all that match `*`, `?` and `[...]`. Into a folder that exists, under the same name.

    Example:
        copy("in/*.csv", "out");          // "Successfully copied 3 items from 'in/*.csv' to 'out'"
    """
    files, trees = workspace(call), Trees(call, workspace(call))
    files.find(target, write=True)
    several = GLOB.search(source) is not None
    with _failing("Failed to copy any files" if several else "Failed to copy file"):
        found = trees.expand(source)
        if not found:
            raise FunctionError(f"No files found matching '{source}'")
        if several:
            files.make_folders(files.find(target, write=True))
        for path in found:
            where, kind = _copy_one(call, files, trees, path, target)
    if several:
        return f"Successfully copied {len(found)} items from '{source}' to '{target}'"
    return f"Successfully copied {kind} '{source}' to '{where}'"


def _copy_one(call: Call, files: Workspace, trees: Trees, source: str, target: str) -> tuple[str, str]:
    origin = files.find(source)
    goal = _into(files, origin, target)
    if _is_folder(files.status(origin)):
        trees.copy_folder(origin, goal)
        return goal.given, "directory"
    _make_above(files, goal)
    trees.copy_file(origin, goal)
    return goal.given, "file"


@FAMILY.function(needs="write", blocks=True)
def mv(call: Call, source: str, target: str) -> str:
    """Move or rename a file or folder. Into a folder that exists, it moves under the same name.

    Example:
        mv("draft.txt", "final.txt");     // "Successfully moved file 'draft.txt' to 'final.txt'"
    """
    files = workspace(call)
    origin = files.find(source, write=True, verb="moving")
    files.find(target, write=True)
    with _failing(f"Failed to move '{source}' to '{target}'"):
        status = files.status(origin)
        if status is None:
            raise FunctionError(f"No files found matching '{source}'")
        goal = _into(files, origin, target)
        _make_above(files, goal)
        Trees(call, files).move(origin, goal)
    return f"Successfully moved {'directory' if _is_folder(status) else 'file'} '{source}' to '{target}'"


@FAMILY.function(needs="read", blocks=True)
def file_read(call: Call, path: str) -> str:
    """Read a text file, which is UTF-8.

    Example:
        let text = file_read("report.txt");
    """
    with _failing("Failed to read file"):
        content = workspace(call).read(_regular(call, path))
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise FunctionError("Failed to read file: stream did not contain valid UTF-8") from None


@FAMILY.function(needs="write", blocks=True)
def file_write(call: Call, path: str, text: str) -> str:
    """Write a text to a file, in place of what was in it. The folders above it are made.

    Example:
        file_write("out/report.txt", "all well");
    """
    with _failing("Failed to write to file"):
        workspace(call).write(workspace(call).find(path, write=True), text.encode())
    return f"Successfully wrote to file '{path}'"


@FAMILY.function(needs="write", blocks=True)
def file_write_append(call: Call, path: str, text: str) -> str:
    r"""Add a text to the end of a file, which is made if it is missing.

    Example:
        file_write_append("out/report.txt", "one more line\n");
    """
    with _failing("Failed to append to file"):
        workspace(call).write(workspace(call).find(path, write=True), text.encode(), append=True)
    return f"Successfully appended to file '{path}'"


@FAMILY.function(needs="read")
def file_size(call: Call, path: str) -> int:
    """Return the size of a file, in bytes.

    Example:
        if file_size("report.txt") > 1000000 { print("large") }
    """
    with _failing("Failed to read file"):
        status = workspace(call).status(_regular(call, path))
    return status.st_size if status is not None else 0


@FAMILY.function(needs="read", blocks=True)
def find_file(call: Call, folder: str, pattern: str) -> str:
    """Find a file in a folder and below. Of several, the first by name.

    Example:
        let path = find_file("in", "*.csv");
    """
    found = _find(call, folder, pattern, folders=False)
    if not found:
        raise FunctionError(f"No files found matching '{pattern}'")
    if len(found) > 1:
        call.log(f"Note: Multiple files found matching '{pattern}', returning first match")
    return found[0]


@FAMILY.function(needs="read", blocks=True)
def find_files(call: Call, folder: str, pattern: str) -> list[str]:
    """Find all files in a folder and below. Links are not followed.

    Example:
        for path in find_files("in", "*.csv") { print(path) }
    """
    return _find(call, folder, pattern, folders=False)


@FAMILY.function(needs="read", blocks=True)
def find_dir(call: Call, folder: str, pattern: str) -> str:
    """Find the one folder in a folder that matches; not in its subfolders.

    Example:
        let path = find_dir("in", "2026-*");
    """
    found = _find(call, folder, pattern, folders=True, deep=False)
    if not found:
        raise FunctionError(f"Directory '{pattern}' does not exist")
    if len(found) > 1:
        raise FunctionError(f"Multiple directories found matching '{pattern}', expected only one")
    return found[0]


@FAMILY.function(needs="read", blocks=True)
def find_dirs(call: Call, folder: str, pattern: str) -> list[str]:
    """Find all folders in a folder and below.

    Example:
        for path in find_dirs("in", "2026-*") { print(path) }
    """
    return _find(call, folder, pattern, folders=True)


@FAMILY.function(needs="read")
def chdir(call: Call, path: str) -> str:
    """Make a folder the working folder of this run. Other jobs keep theirs.

    Example:
        chdir("out");
    """
    files = workspace(call)
    spot = files.find(path)
    with _failing(f"Directory '{path}' does not exist"):
        status = files.status(spot)
        if status is None:
            raise FunctionError(f"Directory '{path}' does not exist")
        if not _is_folder(status):
            raise FunctionError(f"Path '{path}' exists but is not a directory")
        files.change_folder(spot)
    return f"Successfully changed directory to '{path}'"


@FAMILY.function(needs="write", blocks=True)
def rsync(call: Call, source: str, target: str) -> str:
    """Make a folder the mirror of another: what the source does not have is removed from it. As with the program of
    this name, `in` becomes `out/in`, while `in/` becomes `out` itself.

    Example:
        rsync("in/", "backup");           // "Successfully synced 'in/' to 'backup'"
    """
    files, trees = workspace(call), Trees(call, workspace(call))
    origin, goal = files.find(source), files.find(target, write=True)
    with _failing("Failed to sync directories"):
        status = files.status(origin)
        if status is None:
            raise FunctionError(f"No files found matching '{source}'")
        if not source.endswith("/"):
            goal = _below(goal, _name(origin))
        if _is_folder(status):
            trees.copy_folder(origin, goal, mirror=True)
        else:
            _make_above(files, goal)
            trees.copy_file(origin, goal)
    return f"Successfully synced '{source}' to '{target}'"


@FAMILY.function(needs="write")
def chmod_exec(call: Call, path: str) -> str:
    """Make a file executable.

    Example:
        chmod_exec("backup.sh");          // "Made backup.sh executable"
    """
    files = workspace(call)
    spot = files.find(path, write=True)
    with _failing("Not a file"):
        status = files.status(spot)
        if status is None:
            raise FunctionError(f"Not a file: Path does not exist: {path}")
        if not stat.S_ISREG(status.st_mode):
            raise FunctionError(f"Not a file: Path is not a file: {path}")
        fd = files.open(spot, os.O_RDONLY)
        try:
            os.fchmod(fd, 0o755)
        finally:
            os.close(fd)
    return f"Made {path} executable"


# -- shared ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _failing(sentence: str) -> Iterator[None]:
    """Turn what the kernel says into a text for the script."""
    try:
        yield
    except OSError as e:
        raise FunctionError(f"{sentence}: {e.strerror}") from None


def _status(call: Call, path: str) -> os.stat_result | None:
    files = workspace(call)
    return files.status(files.find(path))


def _regular(call: Call, path: str) -> Spot:
    """Find a file, which must exist."""
    files = workspace(call)
    spot = files.find(path)
    status = files.status(spot)
    if status is None:
        raise FunctionError(f"No files found matching '{path}'")
    if not stat.S_ISREG(status.st_mode):
        raise FunctionError(f"Path '{path}' is not a regular file")
    return spot


def _find(call: Call, folder: str, pattern: str, *, folders: bool, deep: bool = True) -> list[str]:
    files = workspace(call)
    top = files.find(folder)
    with _failing(f"Directory '{folder}' does not exist"):
        if not _is_folder(files.status(top)):
            raise FunctionError(f"Directory '{folder}' does not exist")
        return [fixed_join(folder, path) for path in Trees(call, files).find(top, pattern, folders=folders, deep=deep)]


def _is_folder(status: os.stat_result | None) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def _into(files: Workspace, origin: Spot, target: str) -> Spot:
    """Where something goes: into the target if that is a folder."""
    goal = files.find(target, write=True)
    return _below(goal, _name(origin)) if _is_folder(files.status(goal)) else goal


def _below(folder: Spot, name: str) -> Spot:
    below = f"{folder.below}/{name}" if folder.below else name
    return Spot(fixed_join(folder.given, name), folder.place, below)


def _name(spot: Spot) -> str:
    return f"{spot.place.path}/{spot.below}".rstrip("/").rpartition("/")[2]


def _make_above(files: Workspace, spot: Spot) -> None:
    above = spot.below.rstrip("/").rpartition("/")[0]
    if above:
        files.make_folders(Spot(spot.given, spot.place, above))
