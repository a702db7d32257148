"""Opens files below a folder that nothing leads out of: no `..`, no link, no folder that is swapped meanwhile.

The kernel resolves the path from the folder's descriptor (openat2). Where it cannot, each component is opened from the
descriptor of the one before it, and links are refused. A path is never compared as text to decide whether it is inside.
Everything that touches the files of scripts goes through here. Invariant: only descriptors of regular files and folders
leave `open_beneath`, unless the caller asks for a mere look.

Source: openat2(2); Linux include/uapi/linux/openat2.h
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
import struct

_SYS_OPENAT2 = 437  # the same on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
#: With O_PATH the kernel accepts only these beside it.
_WITH_PATH = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: The kernel gives up when a folder on the way is renamed just then; another program cannot do that forever.
_TRIES = 64


class Outside(Exception):
    """A path leads out of its folder, or to something that is neither a regular file nor a folder."""


def open_beneath(folder: int, path: str, flags: int, mode: int = 0, *, any_kind: bool = False) -> int:
    """Open a file or folder below a folder.

    Args:
        folder: Descriptor of the folder.
        path: Relative to it; "" for the folder itself.
        flags: As for `os.open`. A named pipe without a peer does not block.
        mode: Permissions of a file that is created.
        any_kind: Accept a device, pipe or socket as well, as a mere look (O_PATH) does no harm.

    Returns:
        A descriptor, which the caller closes.

    Raises:
        Outside: The path leads out, or to something else than a regular file or a folder.
        OSError: It cannot be opened, for example because it does not exist.
    """
    flags |= os.O_CLOEXEC
    flags = flags & _WITH_PATH if flags & os.O_PATH else flags | os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = _by_kernel(folder, path or ".", flags, mode) if _has_openat2() else walk(folder, path, flags, mode)
    except OSError as e:
        # ENXIO: a pipe without a reader, or a socket. ELOOP: a link of /proc, or in a walk any link.
        if e.errno in (errno.EXDEV, errno.ELOOP, errno.ENXIO):
            raise Outside from e
        raise
    try:
        kind = os.fstat(fd).st_mode
        if not (any_kind or stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise Outside
    except BaseException:
        os.close(fd)
        raise
    return fd


def _by_kernel(folder: int, path: str, flags: int, mode: int) -> int:
    how = struct.pack("QQQ", flags, mode if flags & os.O_CREAT else 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    name = os.fsencode(path)
    for _ in range(_TRIES):
        fd = _syscall()(_SYS_OPENAT2, folder, name, how, len(how))
        if fd >= 0:
            return int(fd)
        error = ctypes.get_errno()
        if error not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(error, os.strerror(error))


@functools.cache
def _syscall() -> ctypes._NamedFuncPointer:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
    return call


@functools.cache
def _has_openat2() -> bool:
    """Ask the kernel. Old ones do not know the call, and old containers forbid it."""
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(_by_kernel(root, ".", os.O_PATH | os.O_CLOEXEC, 0))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def walk(folder: int, path: str, flags: int, mode: int = 0) -> int:
    """Do the same without the kernel's help: component by component, without following any link.

    Args:
        folder: Descriptor of the folder.
        path: Relative to it.
        flags: As for `os.open`.
        mode: Permissions of a file that is created.

    Raises:
        OSError: It cannot be opened; EXDEV if it leads out, ELOOP if it leads through a link.
    """
    if path.startswith("/"):
        raise OSError(errno.EXDEV, "absolute")
    parts = [part for part in path.split("/") if part not in ("", ".")] or ["."]
    opened: list[int] = []
    try:
        for part in parts[:-1]:
            _step(folder, opened, part, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0)
        if parts[-1] == ".":
            return os.open(".", flags, dir_fd=folder)
        _step(folder, opened, parts[-1], flags, mode)
        # `..` may have led back to the folder itself.
        return opened.pop() if opened else os.open(".", flags, dir_fd=folder)
    finally:
        for fd in opened:
            os.close(fd)


def _step(folder: int, opened: list[int], part: str, flags: int, mode: int) -> None:
    if part == "..":
        if not opened:
            raise OSError(errno.EXDEV, "leads out")
        os.close(opened.pop())
        if opened:  # with the flags that are wanted
            opened.append(os.open(".", flags, dir_fd=opened.pop()))
        return
    at = opened[-1] if opened else folder
    try:
        fd = os.open(part, flags | os.O_NOFOLLOW, mode, dir_fd=at)
    except NotADirectoryError:
        # With O_DIRECTORY a link is "not a directory".
        if stat.S_ISLNK(os.stat(part, dir_fd=at, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, "link") from None
        raise
    if flags & os.O_PATH and stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, "link")
    opened.append(fd)
