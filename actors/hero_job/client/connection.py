"""One synchronous connection to the server: a plain socket, with hiredis to pack commands and parse answers.

`Store` uses it. For one EVALSHA per job it is three to four times as fast as the client classes of redis-py (measured),
and it saves a process their 70 ms of import and 20 MB of memory. It has no retries, no pool and no threads. Invariant:
an answer always belongs to its command; after any error the connection is closed, and its owner decides what to do.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import hiredis

from hero_job.client.answers import NOT_RUN, REPLICAS_WAIT_MS, check_replicas, is_wrong_server, reason_of_break, refused
from hero_job.client.commands import pack
from hero_job.client.sockets import open_socket
from hero_job.client.url import Address, Mode, StoreUrl
from hero_job.model.errors import HeroJobError, StoreRefused, StoreUnavailable
from hero_job.protocol import lua
from hero_job.protocol.op import Op, T

_INCOMPLETE = object()
#: How long the server may take to answer, in seconds, apart from the time that the operation may block.
ANSWER_TIMEOUT_S = 10.0
#: How often a caller that may have to give up is asked whether it must, in milliseconds.
_CHECK_MS = 20
MOST_MOVES = 5  #: how many times one command follows its slot to another node


class StoreConnection:
    """An open connection. The constructor finds the server, connects, logs in, and sets the connection's name.

    Args:
        url: Where the server is.
        name: Name of the connection in CLIENT LIST.
        connect_timeout_s: Longest time to connect, and to log in, in seconds.
        address: The primary that the sentinels name, or the node of the cluster to try first: the one that had the slot
            last.
        answer_timeout_s: How long the server may take to answer, in seconds; None for `ANSWER_TIMEOUT_S`.
        opening: Gets the connection before it is opened, to be able to `abort` that.

    Raises:
        StoreUnavailable: No server answers in time.
        StoreRefused: The server refuses the password, the database or the name.
    """

    __slots__ = (
        "__weakref__", "_answer_timeout_s", "_connect_timeout_s", "_name", "_reader", "_socket", "_timeout_s",
        "aborted", "address", "client_id", "url",
    )  # fmt: skip

    def __init__(
        self,
        url: StoreUrl,
        *,
        name: str = "hero",
        connect_timeout_s: float = 5.0,
        address: Address | None = None,
        answer_timeout_s: float | None = None,
        opening: Callable[[StoreConnection], None] | None = None,
    ) -> None:
        self.url = url
        self._answer_timeout_s = ANSWER_TIMEOUT_S if answer_timeout_s is None else answer_timeout_s
        self._name = name
        self._connect_timeout_s = connect_timeout_s
        self.client_id = 0  #: the server's id of this connection, for CLIENT UNBLOCK
        self.address: Address | None = None
        self.aborted = False  #: it leads to a server that is not the primary any more
        if opening is not None:
            opening(self)
        if url.path is not None:
            self._open(None)
            return
        if url.mode is Mode.SENTINEL:
            candidates = [address] if address is not None else find_master(url, connect_timeout_s)
        else:
            candidates = list(url.hosts)
        if address is not None and url.mode is Mode.CLUSTER:
            candidates = [address, *(place for place in candidates if place != address)]
        for place in candidates:
            try:
                self._open(place)
                break
            except StoreUnavailable:
                if place == candidates[-1]:
                    raise

    def _open(self, address: Address | None) -> None:
        url = self.url
        self.address = address
        self.aborted = False
        # With surrogateescape a script that is not UTF-8 reaches the code that refuses it. Otherwise it would break the
        # connection.
        self._reader = hiredis.Reader(
            encoding="utf-8", errors="surrogateescape", notEnoughData=_INCOMPLETE, protocolError=hiredis.ProtocolError
        )
        self._timeout_s = self._connect_timeout_s
        try:
            self._socket = open_socket(url, address, self._connect_timeout_s)
        except OSError as e:
            raise StoreUnavailable(url.shown, e.strerror or str(e)) from e
        try:
            login: list[tuple[Any, ...]] = []
            if url.password is not None:
                login.append(("AUTH", *((url.username,) if url.username else ()), url.password))
            if url.db:
                login.append(("SELECT", url.db))
            login += (("CLIENT", "SETNAME", self._name), ("CLIENT", "ID"))
            if url.mode is Mode.SENTINEL:
                login.append(("ROLE",))
            self._send(b"".join(pack(command) for command in login))
            answers = [self._receive() for _ in login]
            for answer in answers:
                if isinstance(answer, hiredis.ReplyError):
                    refusal = refused(answer)
                    raise StoreUnavailable(url.shown, refusal.reason) if is_wrong_server(url, refusal) else refusal
            self.client_id = answers[len(login) - 1 - (url.mode is Mode.SENTINEL)]
            if url.mode is Mode.SENTINEL and answers[-1][0] != "master":
                # The sentinels have replaced it, or its promotion is not complete.
                raise StoreUnavailable(url.shown, f"{_shown(address)} is no primary now")
            self._set_timeout(self._answer_timeout_s)
        except BaseException:
            self.close()
            raise

    def run(self, op: Op[T], check: Callable[[], None] | None = None) -> T:
        """Run one operation.

        Args:
            op: The operation.
            check: Called again and again while the server delays its answer. If it raises, the connection is closed,
                so the operation must be one that changes nothing.

        Returns:
            Its result.

        Raises:
            StoreUnavailable: The connection broke and is closed; the outcome is unknown.
            StoreRefused: The server answered with an error.
            HeroJobError: One of the operation's own errors.
        """
        if op.block_s and op.block_s + 5 > self._timeout_s:
            self._set_timeout(op.block_s + ANSWER_TIMEOUT_S)
        if self.url.wait_replicas and op.script in lua.REPLICATED:
            (result,) = self.run_many([op])
            if isinstance(result, HeroJobError):
                raise result
            return result  # type: ignore[no-any-return]
        return self._read(op, self.call(*_command(op), check=check))

    def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Run many operations in one round trip.

        Args:
            ops: The operations.

        Returns:
            For each operation its result, or the `HeroJobError` that it ended in.

        Raises:
            StoreUnavailable: The connection broke and is closed; which operations the server ran is unknown.
        """
        replicas = self.url.wait_replicas if any(op.script in lua.REPLICATED for op in ops) else 0
        wait: tuple[Any, ...] = ("WAIT", replicas, REPLICAS_WAIT_MS)
        try:
            self._send(b"".join(pack(_command(op)) for op in ops) + (pack(wait) if replicas else b""))
            answers = [self._receive() for _ in ops]
            reached = self._receive() if replicas else 0
        except BaseException:
            self.close()
            raise
        # What the server did not know, or has no slot for, runs after this. WAIT counts only writes before it.
        again = [isinstance(a, hiredis.ReplyError) and str(a).startswith(NOT_RUN) for a in answers]
        results: list[Any] = []
        for op, answer in zip(ops, answers, strict=True):
            try:
                results.append(self._read(op, answer))
            except StoreUnavailable:
                raise
            except HeroJobError as e:
                results.append(e)
        if replicas:
            if not all(again):
                check_replicas(self.url, reached)
            if any(again):
                check_replicas(self.url, self.call(*wait))
        return results

    def _read(self, op: Op[T], answer: Any) -> T:
        if not isinstance(answer, hiredis.ReplyError):
            return op.decode(answer)
        for _ in range(MOST_MOVES):
            text = str(answer)
            if text.startswith("NOSCRIPT") and op.script is not None:
                answer = self.call("EVAL", op.script.source, op.key_count, *op.args)
            elif text.startswith("MOVED "):
                # This node does not have the slot, so it has done nothing: send the command to the one that has it.
                self._move_to(text)
                answer = self.call(*_command(op))
            elif text.startswith("ASK "):
                # The slot moves to another node, and all our keys with it: stay connected to that node.
                self._move_to(text)
                self.call("ASKING")
                answer = self.call(*_command(op))
            if not isinstance(answer, hiredis.ReplyError):
                return op.decode(answer)
        refusal = refused(answer)
        if refusal.code == "OOM":
            refusal = refusal.explained(str(self.call("INFO", "memory")))
        if is_wrong_server(self.url, refusal):
            self.close()
            raise StoreUnavailable(self.url.shown, refusal.reason)
        if refusal.code == "READONLY":
            # A replica now. The address, or what stands behind it, may lead to the new master: connect again next time.
            self.close()
        error = op.translate(refusal)
        raise error from None if error is refusal else refusal

    def _move_to(self, answer: str) -> None:
        host, _, port = answer.split(" ")[2].rpartition(":")
        # A node that does not know how it is reached gives no host.
        address = (host or (self.address or self.url.hosts[0])[0], int(port))
        if address != self.address or not self.open:
            self.close()
            self._open(address)

    def call(self, *command: Any, check: Callable[[], None] | None = None) -> Any:
        """Send one command and read its answer.

        Args:
            command: The command and its arguments.
            check: See `run`.

        Returns:
            The answer as hiredis parses it; an error is a `hiredis.ReplyError` object.

        Raises:
            StoreUnavailable: The connection broke and is closed.
        """
        try:
            self._send(pack(command))
            if check is not None:
                poll = select.poll()
                poll.register(self._socket, select.POLLIN)
                while not poll.poll(_CHECK_MS):
                    check()
            return self._receive()
        except BaseException:
            # After an interrupt, the answer to this command would be taken for the answer to the next one.
            self.close()
            raise

    def send(self, op: Op[Any]) -> None:
        """Send an operation that does not block; `receive` reads its answer. Raises `StoreUnavailable`."""
        try:
            self._send(pack(_command(op)))
        except BaseException:
            self.close()
            raise

    def receive(self) -> Any:
        """Read the answer to what was sent. An error closes the connection, too. Raises `StoreUnavailable`."""
        try:
            answer = self._receive()
            if not isinstance(answer, hiredis.ReplyError):
                return answer
            raise StoreUnavailable(self.url.shown, str(answer))
        except BaseException:
            self.close()
            raise

    def discard_within(self, wait_s: float) -> None:
        """Wait until the server says something that nobody asked for, or the time is up, and drop what it says.

        Args:
            wait_s: Longest wait, in seconds.

        Raises:
            StoreUnavailable: The connection broke and is closed.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        try:
            if poll.poll(wait_s * 1000):
                self._receive()
        except BaseException:
            self.close()
            raise

    def abort(self) -> None:
        """End the connection from another thread: an operation that waits for its answer fails with `StoreUnavailable`.

        Only the kernel's side is shut down. The descriptor stays, so that it is not given to another file meanwhile.
        """
        self.aborted = True
        with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(self._socket.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def is_stale(self) -> bool:
        """Has the server closed the idle connection, or sent data that nobody asked for?"""
        # Over TLS the data may be harmless, like a session ticket. A new connection is cheaper than a lost command.
        # Not select(), which cannot watch a descriptor above 1023.
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def open(self) -> bool:
        """Can the connection be used? Not after an error, and not before it is opened."""
        opened: socket.socket | None = getattr(self, "_socket", None)
        return opened is not None and opened.fileno() >= 0

    def close(self) -> None:
        """Close the socket; does nothing if it is closed already."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _set_timeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._socket.settimeout(timeout_s)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as e:
            raise StoreUnavailable(self.url.shown, reason_of_break(e, self._timeout_s)) from e

    def _receive(self) -> Any:
        reader = self._reader
        try:
            answer = reader.gets()
            while answer is _INCOMPLETE:
                data = self._socket.recv(65536)
                if not data:
                    raise StoreUnavailable(self.url.shown, "the server closed the connection")
                reader.feed(data)
                answer = reader.gets()
        except OSError as e:
            raise StoreUnavailable(self.url.shown, reason_of_break(e, self._timeout_s)) from e
        except hiredis.ProtocolError as e:
            raise StoreUnavailable(self.url.shown, f"not the Redis protocol: {e}") from e
        return answer


def _command(op: Op[Any]) -> tuple[Any, ...]:
    script = op.script
    return tuple(op.args) if script is None else ("EVALSHA", script.sha, op.key_count, *op.args)


def find_master(url: StoreUrl, timeout_s: float) -> list[Address]:
    """Ask the sentinels, one after the other, for the master of the URL's service.

    Args:
        url: Names the sentinels and the service.
        timeout_s: Longest time to connect to each of them, in seconds.

    Returns:
        The address of the master.

    Raises:
        StoreUnavailable: No sentinel answers, or none knows the service; says why for each.
    """
    reasons = []
    for host, port in url.hosts:
        sentinel = replace(
            url,
            mode=Mode.SINGLE,
            hosts=((host, port),),
            db=0,
            username=url.options.get("sentinel_username"),
            password=url.options.get("sentinel_password"),
        )
        try:
            connection = StoreConnection(sentinel, name="hero", connect_timeout_s=timeout_s)
        except (StoreUnavailable, StoreRefused) as e:
            reasons.append(f"{host}:{port}: {e.reason}")
            continue
        try:
            answer = connection.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", url.service)
        except StoreUnavailable as e:
            reasons.append(f"{host}:{port}: {e.reason}")
            continue
        finally:
            connection.close()
        if isinstance(answer, list):
            return [(answer[0], int(answer[1]))]
        reasons.append(f"{host}:{port} knows no service '{url.service}'")
    raise StoreUnavailable(url.shown, f"no sentinel names a master: {'; '.join(reasons)}")


def _shown(address: Address | None) -> str:
    return f"{address[0]}:{address[1]}" if address else "the server"
