"""A sentinel that wants a password of its own, which is not the one of the server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hero_job import StoreError, StoreUnavailable
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer, binary, free_port

PASSWORD = "of-the-sentinel"
Ping = Callable[[str], None]


def ping(url: str) -> None:
    with Store(url) as store:
        store.run(Operations().ping())


def ping_aio(url: str) -> None:
    async def main() -> None:
        async with AsyncStore(url) as store:
            await store.run(Operations().ping())

    asyncio.run(main())


BOTH_STORES = pytest.mark.parametrize("ping_by", [ping, ping_aio])


@pytest.fixture(scope="module")
def sentinel(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start one that takes the password with no name, or with the name `follower`; give its port."""
    folder: Path = tmp_path_factory.mktemp("sentinel")
    port = free_port()
    conf = folder / "sentinel.conf"
    conf.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nrequirepass {PASSWORD}\n"
        f"user follower on >{PASSWORD} allchannels +@all\n"
        f"sentinel monitor hero 127.0.0.1 {valkey.port} 1\n"
    )
    process = subprocess.Popen([binary(), conf, "--sentinel"], stdout=subprocess.DEVNULL)
    try:

        def knows_the_server() -> bool:
            try:
                with Store(f"redis://:{PASSWORD}@127.0.0.1:{port}") as store:
                    return bool(store.run(Op(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "hero"), bool)))
            except StoreError:
                return False

        eventually(knows_the_server)
        yield port
    finally:
        process.kill()
        process.wait()


@BOTH_STORES
@pytest.mark.parametrize("user", ["", "sentinel_username=follower&"])
def test_the_password_in_the_url_is_given_to_the_sentinel(sentinel: int, ping_by: Ping, user: str) -> None:
    ping_by(f"redis+sentinel://127.0.0.1:{sentinel}/hero?{user}sentinel_password={PASSWORD}")


@BOTH_STORES
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "NOAUTH"),
        ("?sentinel_password=of-the-server", "WRONGPASS"),
        (f"?sentinel_username=nobody&sentinel_password={PASSWORD}", "WRONGPASS"),
    ],
)
def test_a_sentinel_that_is_given_no_password_or_a_wrong_one_names_no_server(
    sentinel: int, ping_by: Ping, query: str, reason: str
) -> None:
    with pytest.raises(StoreUnavailable, match="no sentinel names a master") as failure:
        ping_by(f"redis+sentinel://127.0.0.1:{sentinel}/hero{query}")

    assert reason in str(failure.value)
    assert PASSWORD not in str(failure.value)
