"""Flow control over a real socket: what is admitted, who is cut off, and what happens to requests left behind."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hero_supervisor.rpc.protocol import flow_control
from hero_supervisor.rpc.protocol.flow_control import ConnectionLimit, CountedWarning, FlowControl
from tests.eventually import GENEROUS_S

BIG = b"x" * 4_000_000


class Served(asyncio.Protocol):
    """A connection that tells its flow control what asyncio reports."""

    flow: FlowControl

    def __init__(self) -> None:
        self.changes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.flow = FlowControl(transport, "somebody", self._count)

    def _count(self) -> None:
        self.changes += 1

    def pause_writing(self) -> None:
        self.flow.pause()

    def resume_writing(self) -> None:
        self.flow.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self.flow.lose()


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Served, socket.socket]]:
    """Give one side of a connection, and the socket of its client, which reads nothing by itself."""
    ours, theirs = socket.socketpair()
    with theirs:
        _, protocol = await asyncio.get_running_loop().create_connection(Served, sock=ours)
        try:
            yield protocol, theirs
        finally:
            protocol.transport.abort()
            await asyncio.wait_for(protocol.flow.lost, GENEROUS_S)


def read_all(client: socket.socket, size: int) -> None:
    """Read so many bytes, blocking a thread."""
    while size > 0:
        part = client.recv(min(size, 1 << 20))
        assert part, "the connection was closed"
        size -= len(part)


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_no_more_requests_begin_than_are_allowed_and_each_end_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_control, "MAX_IN_FLIGHT", 2)

    async def main() -> None:
        async with served() as (one, _):
            flow = one.flow
            assert flow.admits()
            assert flow.admits(one_at_a_time=True)
            first = flow.begin(wait_for_ever())
            assert flow.admits()
            assert not flow.admits(one_at_a_time=True)
            flow.begin(wait_for_ever())
            assert not flow.admits()
            before = one.changes
            first.cancel()
            await turns()
            assert flow.admits()
            assert one.changes == before + 1
            flow.cancel_requests()
            await turns()
            assert not flow.requests

    asyncio.run(main())


def test_no_request_begins_and_no_answer_is_written_while_the_client_does_not_read() -> None:
    async def main() -> None:
        async with served() as (one, client):
            flow = one.flow
            assert await flow.wait_writable()
            one.transport.write(BIG)
            assert not flow.admits()
            waiting = asyncio.ensure_future(flow.wait_writable())
            room = asyncio.ensure_future(flow.wait_for_room(10))
            await turns()
            assert not waiting.done()
            assert not room.done()
            before = one.changes
            await asyncio.to_thread(read_all, client, len(BIG))
            assert await waiting
            assert await room
            assert flow.admits()
            assert one.changes > before

    asyncio.run(main())


def test_who_waits_for_a_client_that_goes_is_told_that_nobody_is_there() -> None:
    async def main() -> None:
        async with served() as (one, client):
            one.transport.write(BIG)
            waiting = asyncio.ensure_future(one.flow.wait_for_room(10))
            await turns()
            client.close()
            assert not await waiting
            assert not await one.flow.wait_for_room(10)
            assert one.flow.lost.done()
            one.flow.lose()  # a second report does no harm

    asyncio.run(main())


def test_a_client_with_too_many_unread_answers_is_cut_off_but_one_long_answer_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flow_control, "MAX_UNREAD_BYTES", 1000)

    async def main() -> None:
        async with served() as (one, _):
            one.transport.write(BIG)
            first = asyncio.ensure_future(one.flow.wait_for_room(400))
            await turns()
            second = asyncio.ensure_future(one.flow.wait_for_room(600))  # exactly the limit
            await turns()
            assert not first.done()
            assert not second.done()
            assert "cut_off" not in caplog.text
            assert not await one.flow.wait_for_room(1)
            assert not await first
            assert not await second
        (record,) = (record for record in caplog.records if record.message == "rpc.slow_reader_cut_off")
        assert vars(record)["peer"] == "somebody"
        assert vars(record)["unread_bytes"] > 1000

    async def one_long_answer() -> None:
        async with served() as (one, client):
            one.transport.write(BIG)
            long = asyncio.ensure_future(one.flow.wait_for_room(5000))
            await turns()
            await asyncio.to_thread(read_all, client, len(BIG))
            assert await long
            one.transport.write(BIG)
            another = asyncio.ensure_future(one.flow.wait_for_room(900))  # what was answered waits no more
            await turns()
            await asyncio.to_thread(read_all, client, len(BIG))
            assert await another

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    asyncio.run(one_long_answer())


def test_a_client_that_reads_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flow_control, "STALL_S", 0.05)

    async def main() -> None:
        async with served() as (one, _):
            one.transport.write(BIG)
            await asyncio.wait_for(asyncio.shield(one.flow.lost), GENEROUS_S)
        assert "rpc.slow_reader_cut_off" in caplog.text

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())


def test_a_client_that_has_read_everything_is_not_cut_off_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served() as (one, client):
            loop = asyncio.get_running_loop()
            one.transport.write(BIG)
            timer = one.flow._stall_timer
            assert timer is not None
            assert abs(timer.when() - loop.time() - flow_control.STALL_S) < flow_control.STALL_S / 2
            await asyncio.to_thread(read_all, client, len(BIG))
            assert await one.flow.wait_writable()
            assert timer.cancelled()

    asyncio.run(main())


def test_requests_whose_client_has_gone_may_end_by_themselves_and_are_then_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main(may_end: bool) -> tuple[bool, bool]:
        async with served() as (one, _):
            end = asyncio.Event()
            request = one.flow.begin(end.wait())
            leaving = asyncio.ensure_future(one.flow.leave_behind())
            await turns()
            assert not leaving.done()
            if may_end:
                end.set()
            await asyncio.wait_for(leaving, GENEROUS_S)
            assert not one.flow.requests
            return request.cancelled(), one.flow.given_up

    assert asyncio.run(main(True)) == (False, False)
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.05)
    assert asyncio.run(main(False)) == (True, True)


def test_a_request_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.01)
    monkeypatch.setattr(flow_control, "_CANCEL_EVERY_S", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await wait_for_ever()
            except asyncio.CancelledError:
                swallowed += 1

    async def main() -> None:
        async with served() as (one, _):
            one.flow.begin(stubborn())
            await asyncio.wait_for(one.flow.leave_behind(), GENEROUS_S)

    asyncio.run(main())
    assert swallowed == 3


def test_a_request_that_ends_slowly_is_not_cancelled_without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_control, "LEFT_BEHIND_S", 0.01)
    monkeypatch.setattr(flow_control, "_CANCEL_EVERY_S", 3600.0)
    cancelled = 0

    async def slow(first: asyncio.Event, end: asyncio.Event) -> None:
        nonlocal cancelled
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                cancelled += 1
                first.set()

    async def main() -> None:
        async with served() as (one, _):
            first, end = asyncio.Event(), asyncio.Event()
            one.flow.begin(slow(first, end))
            leaving = asyncio.ensure_future(one.flow.leave_behind())
            await asyncio.wait_for(first.wait(), GENEROUS_S)
            await turns()
            end.set()
            await asyncio.wait_for(leaving, GENEROUS_S)

    asyncio.run(main())
    assert cancelled == 1


def test_a_defect_of_an_answer_is_logged_and_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with served() as (one, _):
            one.flow.begin(fail())
            one.flow.begin(asyncio.sleep(0))
            await turns()
            assert not one.flow.requests

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert [record.message for record in caplog.records] == ["rpc.answer_lost"]


def test_what_clients_can_cause_without_end_is_one_line_in_a_while_with_a_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    warning = CountedWarning("rpc.something")

    def counts() -> list[int]:
        return [vars(record)["count"] for record in caplog.records]

    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            warning.note(peer="somebody")
        assert counts() == [1], "the others were a moment later"
        warning._next_mono = 0.0  # the while is over
        warning.note(peer="somebody")
        warning.note(peer="somebody")
        assert counts() == [1, 4]


def test_a_connection_more_than_allowed_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    limit = ConnectionLimit("unix_max_connections", 2)
    with caplog.at_level(logging.WARNING):
        assert not limit.refuses(2)
        assert caplog.records == []
        assert limit.refuses(3)
    (record,) = caplog.records
    assert (record.message, vars(record)["unix_max_connections"]) == ("rpc.too_many_connections", 2)


@pytest.mark.parametrize(("files", "asked", "given"), [(400, 100, 100), (400, 101, 100), (3, 5, 1), (-1, 10**6, 10**6)])
def test_a_server_takes_at_most_a_quarter_of_the_files_that_the_process_may_have(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, files: int, asked: int, given: int
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, -1))
    with caplog.at_level(logging.WARNING):
        assert ConnectionLimit("max_connections", asked).max_connections == given
    assert [record.message for record in caplog.records] == ["rpc.few_files"] * (asked != given)
