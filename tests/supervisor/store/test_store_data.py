"""The data of the embedded store: a damaged end, damage elsewhere, and data of another version."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from hero_supervisor.errors import StoreDataDamaged, StoreDataForeign, StoreStartFailed
from hero_supervisor.store.embedded import EmbeddedStore
from tests.supervisor.conftest import MakeStore, command

# Damaged data.


def appended(store: EmbeddedStore) -> Path:
    """Find the file that the server appends to."""
    (aof,) = (store.folder.path / "appendonlydir").glob("*.incr.aof")
    return aof


def store_with_data(make_store: MakeStore) -> EmbeddedStore:
    store = make_store()
    store.start()
    command(store, "SET", "a", "1")
    command(store, "SET", "b", "x" * 100)
    # The effects of a script are one transaction. Half of a transaction is dropped as a whole.
    command(store, "EVAL", "redis.call('SET', 'c', '1'); redis.call('SET', 'd', '1')", "0")
    store.stop()
    return store


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        pytest.param(lambda data: data[:-7], 2, id="half a transaction"),
        pytest.param(lambda data: data[: data.index(b"x" * 100) + 50], 1, id="half a command"),
        pytest.param(lambda data: data + bytes(4096), 4, id="a block of zeros"),
        pytest.param(lambda data: data[:-7] + bytes(4096), 2, id="half a transaction and a block of zeros"),
        pytest.param(lambda data: data + b"*3\r\n$3\r\nSET\r\n", 4, id="the head of a command"),
    ],
)
def test_damaged_end_of_the_data_is_cut_off_and_a_copy_is_kept(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes], left: int
) -> None:
    store = store_with_data(make_store)
    damaged = damage(appended(store).read_bytes())
    appended(store).write_bytes(damaged)

    with caplog.at_level(logging.ERROR):
        store.start()

    assert command(store, "DBSIZE") == left
    (kept,) = (store.folder.path / "damaged").iterdir()
    assert kept.read_bytes() == damaged
    (record,) = [record for record in caplog.records if record.getMessage() == "store.repaired"]
    assert vars(record)["kept"] == str(kept)
    store.stop()
    store.start()
    assert command(store, "DBSIZE") == left


def test_damage_before_whole_commands_is_not_repaired(make_store: MakeStore) -> None:
    store = store_with_data(make_store)
    data = appended(store).read_bytes()
    damaged = data.replace(b"$100\r\n", b"$1x0\r\n")
    appended(store).write_bytes(damaged)

    with pytest.raises(StoreDataDamaged, match="whole commands follow"):
        store.start()

    assert appended(store).read_bytes() == damaged
    assert not (store.folder.path / "damaged").exists()
    appended(store).write_bytes(data)
    store.start()  # and nothing was left behind


def test_damage_is_not_repaired_without_a_copy(make_store: MakeStore) -> None:
    store = store_with_data(make_store)
    damaged = appended(store).read_bytes()[:-7]
    appended(store).write_bytes(damaged)
    (store.folder.path / "damaged").write_text("a file where the folder of the copies would be")

    with pytest.raises(StoreDataDamaged, match="cannot be copied"):
        store.start()

    assert appended(store).read_bytes() == damaged


# Data of another version.


def test_snapshot_of_a_newer_server_is_refused_and_left_as_it_is(make_store: MakeStore) -> None:
    store = make_store()
    data = store.folder.path / "appendonlydir"
    data.mkdir(parents=True)
    (data / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    (data / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0999" + bytes(64))
    (data / "appendonly.aof.1.incr.aof").write_bytes(b"")
    before = {path: path.read_bytes() for path in data.iterdir()}

    with pytest.raises(StoreStartFailed, match="999"):
        store.start()

    assert {path: path.read_bytes() for path in data.iterdir()} == before


def test_snapshot_that_the_server_would_ignore_is_refused(make_store: MakeStore) -> None:
    store = make_store()
    store.folder.path.mkdir()
    (store.folder.path / "dump.rdb").write_bytes(b"REDIS0011")

    with pytest.raises(StoreDataForeign, match=r"dump\.rdb"):
        store.start()


def test_folder_of_a_newer_version_of_the_runtime_is_refused(make_store: MakeStore) -> None:
    store = store_with_data(make_store)
    (store.folder.path / "format").write_text("2\n")

    with pytest.raises(StoreDataForeign, match="format '2', this version reads 1"):
        store.start()

    (store.folder.path / "format").write_text("1\n")
    store.start()
    assert command(store, "DBSIZE") == 4
