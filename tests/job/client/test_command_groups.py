"""Commands that coroutines ask for in one turn of the loop go out together; each caller gets its own answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socketserver
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.sharing import command_line
from hero_job.client.store import Store
from hero_job.model.errors import JobDamaged, JobNotFound, StoreError, StoreRefused, StoreUnavailable
from hero_job.model.status import JobStatus
from hero_job.operations.foreign_ends import seen
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeJob
from tests.valkey_server import ValkeyServer

MANY = 100
#: By which redis-py names itself.
LOGIN_COMMANDS = 2


def on_store(url: str, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncStore(url) as store:
            await test(store)

    asyncio.run(run())


def reads_of(store: Store) -> int:
    """How often the server has read from a connection."""
    text = store.run(Op(("INFO", "stats"), str))
    return int(text.partition("total_reads_processed:")[2].split()[0])


def test_a_hundred_simultaneous_calls_cost_the_server_few_reads(own_valkey: ValkeyServer, make_job: MakeJob) -> None:
    operations = Operations("groups")
    with Store(own_valkey.url) as watching:
        job_id = watching.run(operations.create(make_job()))

        async def test(store: AsyncStore) -> None:
            await store.run(operations.status(job_id))  # connects
            before = reads_of(watching)
            calls = (store.drive(seen(operations, job_id, operations.status(job_id))) for _ in range(MANY))
            assert await asyncio.gather(*calls) == [JobStatus.CREATED] * MANY
            assert reads_of(watching) - before < MANY / 2

        on_store(own_valkey.url, test)


def test_each_caller_gets_its_own_answer_or_error(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob
) -> None:
    good, damaged = store.run(operations.create(make_job())), "damaged"
    store.run(Op(("SET", operations.keys.job(damaged), "no hash"), as_is))

    async def test(aio: AsyncStore) -> None:
        asked = [good, damaged, "unknown"] * 20
        calls = [aio.run(operations.status(job_id)) for job_id in asked]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for job_id, answer in zip(asked, answers, strict=True):
            expected = {good: JobStatus, damaged: JobDamaged, "unknown": JobNotFound}[job_id]
            assert isinstance(answer, expected), (job_id, answer)

    on_store(valkey.url, test)


def test_jobs_are_created_once_by_a_server_that_does_not_know_the_script(
    own_valkey: ValkeyServer, make_job: MakeJob
) -> None:
    operations = Operations("groups")
    jobs = [make_job() for _ in range(MANY)]

    async def test(store: AsyncStore) -> None:
        await store.run(Op(("SCRIPT", "FLUSH"), as_is))
        ids = await asyncio.gather(*(store.run(operations.create(job, start=True)) for job in jobs))
        assert ids == [job.id for job in jobs]
        queue = operations.keys.work(jobs[0].script_type.suffix)
        assert sorted(await store.run(Op(("LRANGE", queue, 0, -1), list))) == sorted(ids)

    on_store(own_valkey.url, test)


def test_a_caller_that_gives_up_disturbs_no_other_one(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob
) -> None:
    jobs = [make_job() for _ in range(MANY)]

    async def test(aio: AsyncStore) -> None:
        calls = [asyncio.ensure_future(aio.run(operations.create(job))) for job in jobs]
        await asyncio.sleep(0)  # they have asked, and nothing is sent
        for call in calls[::2]:
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[1::2] == [job.id for job in jobs[1::2]]
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])

    on_store(valkey.url, test)
    for job in jobs[1::2]:
        assert store.run(operations.status(job.id)) is JobStatus.CREATED
    for job in jobs[::2]:
        with pytest.raises(JobNotFound):
            store.run(operations.status(job.id))


@pytest.mark.parametrize("how", ["the server dies", "the store is closed"])
def test_every_caller_hears_that_no_answer_comes(own_valkey: ValkeyServer, how: str) -> None:
    operations = Operations("groups")

    async def test(store: AsyncStore) -> None:
        await store.run(operations.ping())  # connects
        own_valkey.freeze()
        calls = [asyncio.ensure_future(store.run(operations.status("any"))) for _ in range(MANY)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if how == "the server dies":
            own_valkey.kill()
        else:
            await store.aclose()
            own_valkey.thaw()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers), answers
        assert len({id(answer) for answer in answers}) == MANY  # raising one exception many times would change it

    on_store(own_valkey.url, test)


#: What a server sends for each short command after a good beginning, and what the callers are told.
BROKEN = {
    "noise": (b"\x00\xff\x16\x03\x01junk\r\n", StoreUnavailable, "not the Redis protocol"),
    "the end of the connection": (b"", StoreUnavailable, "closed"),
    "half an answer": (b"$100\r\nhalf", StoreUnavailable, "no answer within"),
    "that it reads its file": (b"-LOADING Redis is loading the dataset in memory\r\n", StoreUnavailable, "loading"),
    "that it wants a password": (b"-NOAUTH Authentication required.\r\n", StoreRefused, "NOAUTH"),
    "that it has become a replica": (
        b"-READONLY You can't write against a read only replica.\r\n",
        StoreRefused,
        "READ",
    ),
    "that the slot is elsewhere, without saying where": (b"-MOVED 1\r\n", StoreUnavailable, "not the Redis protocol"),
    "that it is full": (b"-ERR something\r\n", StoreRefused, "ERR something"),
}
COMMAND = re.compile(rb"^\*\d+\r", re.MULTILINE)


class BreakingServer(socketserver.ThreadingTCPServer):
    """Lets clients log in, and gives the same answer to each of their other commands."""

    daemon_threads = True

    def __init__(self, answer: bytes) -> None:
        self.logins = 0
        server = self

        class Client(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server.logins += 1
                while asked := self.request.recv(65_536):
                    login = len(re.findall(rb"\r\nCLIENT\r\n", asked))
                    others = len(COMMAND.findall(asked)) - login
                    if others and not answer:
                        return
                    self.request.sendall(
                        b"+OK\r\n" * login + answer * min(others, 1 if answer.endswith(b"half") else others)
                    )

        super().__init__(("127.0.0.1", 0), Client)

    def handle_error(self, *_: object) -> None:
        """A client that closes in the middle is what the test is about."""


@pytest.fixture
def breaking_server(request: pytest.FixtureRequest) -> Iterator[BreakingServer]:
    with BreakingServer(request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("breaking_server", "error", "text"), BROKEN.values(), ids=BROKEN.keys(), indirect=["breaking_server"]
)
def test_every_caller_hears_what_is_wrong_with_the_server(
    breaking_server: BreakingServer, error: type[StoreError], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "ANSWER_TIMEOUT_S", 0.2 if text == "no answer within" else 60)
    short = Op(("HGET", "key", "field"), as_is)

    async def test(store: AsyncStore) -> None:
        for _ in range(2):  # also on the next connection, if it needs one
            answers = await asyncio.gather(*(store.run(short) for _ in range(10)), return_exceptions=True)
            assert [type(answer) for answer in answers] == [error] * 10
            assert all(text in str(answer) for answer in answers), answers
            assert len({id(answer) for answer in answers}) == 10

    on_store(f"redis://127.0.0.1:{breaking_server.server_address[1]}", test)


@pytest.mark.parametrize("breaking_server", [BROKEN["that it has become a replica"][0]], indirect=True)
def test_a_replica_is_left_for_a_new_connection(breaking_server: BreakingServer) -> None:
    async def test(store: AsyncStore) -> None:
        for logins in (1, 2, 3):
            with pytest.raises(StoreRefused, match="READONLY"):
                await store.run(Op(("HGET", "key", "field"), as_is))
            assert breaking_server.logins == logins

    on_store(f"redis://127.0.0.1:{breaking_server.server_address[1]}", test)


@contextlib.asynccontextmanager
async def scripted_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], *, login_s: float = 0
) -> AsyncIterator[str]:
    """Run a server in the loop of the test; `serve` gets each connection after its login. Yield its URL."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(LOGIN_COMMANDS):
                await read_command(reader)
                await asyncio.sleep(login_s / LOGIN_COMMANDS)
                writer.write(b"+OK\r\n")
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client has closed
        finally:
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    parts = []
    for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        parts.append((await reader.readexactly(size + 2))[:-2])
    return parts


def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    strays = [b"$5\r\nstray\r\n", b"$5\r\nst"]  # behind the first answer of a connection; a half one, too

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, _, field = await read_command(reader)
            writer.write(b"$%d\r\n%b\r\n" % (len(field), field) + (strays.pop() if strays else b""))

    async def test() -> None:
        async with scripted_server(serve) as url, AsyncStore(url) as store:
            for name in ("first", "second", "third", "fourth"):
                assert await store.run(Op(("HGET", "key", name), as_is)) == name

    asyncio.run(test())


def test_one_wait_covers_the_connection_and_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "ANSWER_TIMEOUT_S", 1.0)
    closed_soon = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(0.9):
            await reader.read(-1)
            closed_soon.set()

    async def test() -> None:
        async with (
            scripted_server(serve, login_s=1.0) as url,
            AsyncStore(url) as store,
        ):
            with pytest.raises(StoreUnavailable, match="no answer within"):
                await store.run(Op(("HGET", "key", "field"), as_is))
            async with asyncio.timeout(30):
                await closed_soon.wait()

    asyncio.run(test())
