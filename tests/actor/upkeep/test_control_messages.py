"""The actor's end of the control socket: lines in both directions, a peer that does not read, and one that is gone."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator

import pytest

from hero_actor.upkeep import control
from hero_actor.upkeep.control import ControlSocket


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(60)
        peers[theirs] = ControlSocket(ours.detach())
        yield theirs
    peers.pop(theirs)._socket.close()


#: The supervisor's end -> the actor's.
peers: dict[socket.socket, ControlSocket] = {}


def test_a_message_is_one_line_of_json(peer: socket.socket) -> None:
    peers[peer].send({"event": "ready", "lanes": 2})
    assert peer.recv(1000) == b'{"event":"ready","lanes":2}\n'


def test_no_child_process_inherits_the_socket(peer: socket.socket) -> None:
    assert not os.get_inheritable(peers[peer].fileno())


def test_commands_arrive_whole_however_they_are_cut(peer: socket.socket) -> None:
    one = peers[peer]
    assert one.receive() == []
    peer.sendall(b'{"a":1}\n{"b"')
    assert one.receive() == [{"a": 1}]
    assert one.receive() == []
    peer.sendall(b':2}\n\n  \n{"c":3}\n')
    assert one.receive() == [{"b": 2}, {"c": 3}]
    assert not one.lost


def test_what_is_no_command_is_logged_and_dropped(peer: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    peer.sendall(b'nonsense\n[1]\n"x"\n{"a":1}\n')
    with caplog.at_level(logging.WARNING):
        assert peers[peer].receive() == [{"a": 1}]
    assert [record.message for record in caplog.records] == ["control.not_understood"] * 3
    assert vars(caplog.records[0])["bytes"] == len("nonsense")


def test_a_line_without_end_is_forgotten_when_it_is_too_long(
    peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MAX_LINE_BYTES", 10)
    one = peers[peer]
    peer.sendall(b'{"a":12345')
    assert one.receive() == []
    peer.sendall(b"}\n")
    assert one.receive() == [{"a": 12345}], "exactly the limit is kept"
    peer.sendall(b"x" * 11)
    assert one.receive() == []
    peer.sendall(b'{"b":1}\n')
    assert one.receive() == [{"b": 1}], "what was too long is gone"


def test_the_last_commands_of_a_supervisor_that_is_gone_are_received(peer: socket.socket) -> None:
    one = peers[peer]
    peer.sendall(b'{"a":1}\n')
    peer.shutdown(socket.SHUT_WR)
    assert one.receive() == [{"a": 1}]
    assert one.lost
    assert one.receive() == []


def test_a_report_to_a_supervisor_that_is_gone_shows_that_it_is(peer: socket.socket) -> None:
    one = peers[peer]
    peer.close()
    one.send({"a": 1})
    assert one.lost
    one.send({"a": 1})  # nothing more is tried


def test_reports_wait_for_a_supervisor_that_does_not_read_and_are_dropped_when_they_are_too_many(
    peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MAX_UNSENT_BYTES", 1000)
    one = peers[peer]
    sent = 0
    while len(one._unsent) < 1000:
        one.send({"n": sent})
        sent += 1
    kept = len(one._unsent)
    one.send({"dropped": True})
    assert len(one._unsent) == kept
    assert not one.lost
    peer.setblocking(False)
    received = bytearray()
    while one._unsent:
        received += peer.recv(1 << 20)
        one.send({"next": True})
    one.send({"last": True})
    received += peer.recv(1 << 20)
    lines = received.splitlines()
    assert lines[:sent] == [b'{"n":%d}' % n for n in range(sent)], "none is lost, cut or out of order"
    assert lines[-1] == b'{"last":true}'
    assert b'{"dropped":true}' not in lines
