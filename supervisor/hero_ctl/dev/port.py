"""The port of a service for trying: on loopback, opened here and passed on, behind a token that its folder keeps.

The port listens before the service starts, so no other program can take it in between. Invariant: without the token,
which only the owner of the folder can read, no other user of the machine reaches the service.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
from pathlib import Path
from typing import Final

#: The port, unless another program has it. On the keys of a telephone it spells HERO.
DEFAULT_PORT: Final = 4376
_LOOPBACK: Final = "127.0.0.1"
_TOKEN_BYTES: Final = 24
_TOKEN_CHARS: Final = 32


class PortTaken(Exception):
    """The port that was asked for cannot be used."""

    def __init__(self, port: int, reason: str) -> None:
        """Keep the port and the reason."""
        super().__init__(
            f"port {port} cannot be used: {reason}; choose another one with --port, or leave --port away for a free one"
        )
        self.port = port


class DevPort:
    """A listening socket on loopback, and the token that opens it.

    Args:
        wanted: Port; None takes the usual one, or a free one if that is taken.

    Raises:
        PortTaken: The port that was asked for cannot be used.
    """

    def __init__(self, wanted: int | None) -> None:
        self.listener = _listen(DEFAULT_PORT if wanted is None else wanted, may_move=wanted is None)
        self.address = f"http://{_LOOPBACK}:{self.listener.getsockname()[1]}"
        self.token = ""

    def take_token(self, state_dir: Path) -> None:
        """Read the token of a state folder, or make it, so that an address that was kept stays right.

        One that others could read, or that is empty, is made anew.

        Raises:
            OSError: The folder cannot be used.
        """
        path = state_dir / "token"
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if status.st_mode & 0o077 or status.st_size < _TOKEN_CHARS or status.st_uid != os.geteuid():
                path.unlink()
        with contextlib.suppress(FileExistsError):
            new = path.with_suffix(f".{os.getpid()}")  # an interrupted start must not leave an empty token
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(_TOKEN_BYTES))
            try:
                os.link(new, path)
            finally:
                new.unlink()
        self.token = path.read_text("utf-8").strip()

    def page(self) -> str:
        """The address of the web page, with the token."""
        return f"{self.address}/#/overview?token={self.token}"

    def settings(self) -> dict[str, str]:
        """The settings of the service that make it ask for the token, as variables."""
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        return {"HERO_RPC__TOKENS": f'[{{ name = "dev", scope = "admin", sha256 = "{digest}" }}]'}


def _listen(port: int, *, may_move: bool) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen(1024)
    except OSError as e:
        listener.close()
        if not may_move:
            raise PortTaken(port, e.strerror or str(e)) from e
        return _listen(0, may_move=False)
    return listener
