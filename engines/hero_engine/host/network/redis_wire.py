"""One connection to a Redis or Valkey server that the operator names for scripts: commands out, answers in (RESP2).

The family `redis` uses it. The library `redis` waits by itself, so a stop could not end its calls. Invariant: after any
exception but `RedisRefused` the connection is in an unknown state, and its owner closes it.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hero_engine.host.call import Call
from hero_engine.host.network.stream import Stream, connect_anywhere, connect_unix, trust

#: Longest time to connect, and of one command, in seconds.
_CONNECT_S = 5.0
_COMMAND_S = 30.0
#: How deep lists of an answer may be nested; no command here answers with more than one.
_MAX_DEPTH = 4


class RedisRefused(Exception):
    """The server answers with an error.

    Args:
        text: What it says.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class RedisConnection:
    """A connection, logged in and with its database chosen.

    Args:
        call: The run that waits.
        url: `redis://user:password@host:port/db`, `rediss://`, or `unix:///path?db=0`.
        max_bytes: Longest answer, in bytes.
        ca_file: Certificate authorities for `rediss`; "" for the system's.

    Attributes:
        database: Number of the database.

    Raises:
        OSError: It does not come about.
        RedisRefused: The server refuses it.
    """

    def __init__(self, call: Call, url: str, max_bytes: int, ca_file: str = "") -> None:
        parts = urlsplit(url)
        until_mono = time.monotonic() + _CONNECT_S
        self._max_bytes = max_bytes
        if parts.scheme == "unix":
            self.database = parse_qs(parts.query).get("db", ["0"])[0]
            self._stream = connect_unix(call, unquote(parts.path), until_mono)
        else:
            self.database = parts.path.strip("/") or "0"
            host = parts.hostname or "localhost"
            self._stream = connect_anywhere(call, host, parts.port or 6379, until_mono)
        try:
            if parts.scheme == "rediss":
                self._stream.encrypt(trust(ca_file), host)
            self._file = self._stream.makefile("rb")
            if parts.password:
                user = [unquote(parts.username)] if parts.username else []
                self.run("AUTH", *user, unquote(parts.password))
            if self.database != "0":
                self.run("SELECT", self.database)
        except BaseException:
            self.close()
            raise

    @property
    def stream(self) -> Stream:
        """The connection below; its `call` is set anew before another run uses it."""
        return self._stream

    def run(self, *words: str) -> Any:
        """Run a command.

        Args:
            words: The command and its arguments.

        Returns:
            A text, a whole number, None, or a list of these.

        Raises:
            RedisRefused: The server answers with an error.
            OSError: The connection is broken, or the answer is too long or is none.
        """
        self._stream.until_mono = time.monotonic() + _COMMAND_S
        self._left = self._max_bytes
        encoded = [word.encode() for word in words]
        request = b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
        self._stream.sendall(request)
        answer = self._read(0)
        if isinstance(answer, RedisRefused):
            raise answer
        return answer

    def _read(self, depth: int) -> Any:
        line = self._file.readline(65536)
        if not line.endswith(b"\r\n") or depth > _MAX_DEPTH:
            raise ConnectionError("the connection is broken")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return text.decode(errors="replace")
        if kind == b"-":
            return RedisRefused(text.decode(errors="replace"))
        if kind not in b":$*" or not text.removeprefix(b"-").isdigit():
            raise ConnectionError("the answer is none of Redis")
        number = int(text)
        if kind == b":":
            return number
        if number < 0:
            return None
        self._left -= number + len(line)
        if self._left < 0:
            raise OSError(f"the answer has more than {self._max_bytes} bytes (max_file_bytes)")
        if kind == b"*":
            return [self._read(depth + 1) for _ in range(number)]
        data = self._file.read(number + 2)
        if len(data) != number + 2:
            raise ConnectionError("the connection is broken")
        return data[:-2].decode(errors="replace")

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
