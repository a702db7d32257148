"""The family `secret`: passwords, tokens and keys that the operator has put there for scripts.

They are files of the folder `secrets_dir`, or systemd's credentials. A script names a secret, never a path. Invariant:
what a script has read here is hidden in everything that the run logs and in its result (`Call.hide`).
"""

from __future__ import annotations

import os
import re
import stat
from fnmatch import fnmatchcase

from hero_engine.errors import FunctionError, FunctionRefused
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.rights import how_to_allow

FAMILY = Family("secret", "What the operator keeps secret for scripts.", prefix="Secret error: ", needs="secrets")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_BYTES = 64 << 10
#: Below the secrets of all contexts, a folder with one folder per context.
_CONTEXTS = "contexts"
#: Where systemd puts the credentials of a service. Source: systemd.exec(5), LoadCredential=
_CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"


@FAMILY.function()
def secret(call: Call, name: str) -> str:
    """Return a secret: that of the script's context, or else that of all contexts. One line feed at its end is
    removed. Wherever the job logs it or returns it, `***` stands in its place.

    Example:
        let token = secret("api-token");
    """
    if not _NAME.fullmatch(name):
        raise FunctionError(f"{name[:80]!r} is no name of a secret")
    if not any(fnmatchcase(name, glob) for glob in call.rights.secrets):
        raise FunctionRefused(
            f"secret: {name} is not allowed here; the operator enables it with {how_to_allow('secrets')}"
        )
    folder, credentials = call.rights.secrets_dir, os.environ.get(_CREDENTIALS_VARIABLE, "")
    raw = None
    if folder:
        context_id = call.asker.context_id
        if _NAME.fullmatch(context_id):
            raw = _read((folder, _CONTEXTS, context_id), name, only_ours=True)
        if raw is None:
            raw = _read((folder,), name, only_ours=True)
    if raw is None and credentials:
        raw = _read((credentials,), name, only_ours=False)
    if raw is None:
        raise FunctionError(f"there is no secret {name}")
    try:
        text = raw.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise FunctionError(f"the secret {name} is not UTF-8") from None
    call.hide(text)
    return text


def _read(folders: tuple[str, ...], name: str, *, only_ours: bool) -> bytes | None:
    """Read a file; None if there is none. Each step is opened in the one before it, and no link is followed.

    Args:
        folders: The folder that the operator names, which may be a link, and those below it.
        name: The file.
        only_ours: Refuse a file that others than its owner may read. systemd keeps other users out by itself.

    Raises:
        FunctionError: The file cannot be used.
    """
    try:
        fd = os.open(folders[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for step in (*folders[1:], name):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                below = os.open(step, flags, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise FunctionError(f"the secret {name} cannot be read: {e.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        if only_ours and (found.st_mode & 0o077 or found.st_uid not in (os.geteuid(), 0)):
            raise FunctionError(f"the secret {name} can be read by others; the operator runs chmod 600 on its file")
        raw = os.read(fd, _MAX_BYTES + 1)
    except OSError as e:
        raise FunctionError(f"the secret {name} cannot be read: {e.strerror}") from None
    finally:
        os.close(fd)
    if len(raw) > _MAX_BYTES:
        raise FunctionError(f"the secret {name} has more than {_MAX_BYTES} bytes")
    return raw
