"""The password of the embedded store: generated once, kept in the store's folder, and read by our own programs.

Owned here: the file `password`. `folder.py` passes the password to the server in a config file, `embedded.py` to our
own parts in the URL, and `hero-supervisor config store-url` shows it. Invariants: only its owner can read the file, and
the password is in no argument, no log and no error.

The server demands the password only if it has a TCP port. Without a port there is only the Unix socket, in a folder and
with a mode that let only one user in; `redis-cli -s` needs no password there. Valkey cannot demand a password on the
port alone, so with a port the socket needs it too.

Source: https://valkey.io/topics/security/ (an attacker can try very many passwords per second, so it is long).
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from urllib.parse import quote

from hero_supervisor.store.durable import write_private

FILE_NAME = "password"
#: Bytes of randomness: 43 characters that need no quoting in a URL or a config file.
_RANDOM_BYTES = 32
_MOST_BYTES = 4096


def read_password(folder: Path) -> str:
    """Read the password of the store in a folder.

    Raises:
        OSError: There is none, or this user may not read it.
        ValueError: The file holds something else.
    """
    password, _ = _read(folder / FILE_NAME)
    return password


def make_password(folder: Path) -> str:
    """Read the password of the store in a folder, or make one if there is none that only its owner can read.

    Args:
        folder: The folder, whose lock the caller holds.

    Raises:
        OSError: The file can be neither read nor written.
    """
    path = folder / FILE_NAME
    try:
        password, private = _read(path)
    except (FileNotFoundError, ValueError):
        private = False
    # Others may have read one that was open to them.
    if not private:
        password = secrets.token_urlsafe(_RANDOM_BYTES)
        write_private(path, password + "\n")
    return password


def tcp_url(port: int, password: str) -> str:
    """Give the URL by which programs reach the store's TCP port."""
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/"


def _read(path: Path) -> tuple[str, bool]:
    """Give the password, and whether only the file's owner can read it."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        text = file.read(_MOST_BYTES).decode("ascii", "replace").strip()
    if not text or not all(character.isalnum() or character in "_-" for character in text):
        raise ValueError(f"{path} holds no password; remove it, and the next start makes one")
    return text, facts.st_uid == os.getuid() and not stat.S_IMODE(facts.st_mode) & 0o077
