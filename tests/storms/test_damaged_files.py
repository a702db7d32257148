"""Damages of the embedded store's files: nothing is lost without a word, and nothing is changed without a copy."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Op
from hero_supervisor.errors import EmbeddedStoreError
from hero_supervisor.store.embedded import EmbeddedStore
from hero_supervisor.store.kept_copies import KEPT_COPIES, kept_copies
from tests.eventually import eventually
from tests.storms.conftest import ROUNDS
from tests.storms.damages import NASTY, Original, damage, ends_of, only


def ask(store: EmbeddedStore, *words: str) -> object:
    with Store(store.url) as client:
        return client.run(Op(words, lambda answer: answer))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """Return a folder with a base, an increment, transactions, and scripts that look like commands."""
    folder = tmp_path_factory.mktemp("original") / "store"
    store = EmbeddedStore(dir=folder, appendfsync="always")
    store.start()
    try:
        based = {f"base{n}" for n in range(8)}
        for key in sorted(based):
            ask(store, "SET", key, NASTY)
        ask(store, "BGREWRITEAOF")
        eventually(lambda: "aof_rewrite_in_progress:0" in str(ask(store, "INFO", "persistence")))
        eventually(lambda: only(folder, "*.base.aof").name == "appendonly.aof.2.base.aof")
        for n in range(12):
            ask(store, "SET", f"k{n}", NASTY + "x" * n * 50)
            pair = "redis.call('SET', KEYS[1], '1'); redis.call('SET', KEYS[2], ARGV[1])"
            ask(store, "EVAL", pair, "2", f"a{n}", f"b{n}", NASTY)
    finally:
        store.stop()
    return Original(folder=folder, based=frozenset(based), ends=ends_of(only(folder, "*.incr.aof").read_bytes()))


def contents(folder: Path) -> dict[str, bytes]:
    """Read the files of the data, and the copies."""
    found = [*(folder / "appendonlydir").glob("*"), *(folder / "damaged").glob("*")]
    return {path.name: path.read_bytes() for path in found}


@pytest.mark.parametrize("seed", range(60 * ROUNDS))
def test_damage_loses_nothing_in_silence(
    original: Original, tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    damaged = damage(original, tmp_path / "store", random.Random(seed))
    before = contents(tmp_path / "store")
    store = EmbeddedStore(dir=tmp_path / "store", appendfsync="always")
    try:
        with caplog.at_level(logging.WARNING):
            store.start()
    except EmbeddedStoreError as e:
        assert not damaged.at_the_end, f"{damaged.what}: refused: {e}"
        assert contents(tmp_path / "store") == before, "a refusal changes nothing"
        return
    try:
        answer = ask(store, "KEYS", "*")
        assert isinstance(answer, list)
        there = frozenset(str(key) for key in answer)
    finally:
        store.stop()
    assert damaged.must_survive <= there, f"{damaged.what}: gone without a word: {damaged.must_survive - there}"
    assert there <= original.keys, f"{damaged.what}: keys that nobody has written, or that were replaced: {there}"
    told = [record.getMessage() for record in caplog.records]
    kept = [path.read_bytes() for path in kept_copies(tmp_path / "store")]
    if there != original.keys:
        assert "store.repaired" in told or contents(tmp_path / "store").items() >= before.items(), damaged.what
    if "store.repaired" in told:
        assert before[original.increment.name] in kept, f"{damaged.what}: no copy of what was there"
    assert not list((tmp_path / "store").rglob("temp-*")), "leftovers are removed"


def test_copies_of_one_file_are_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    made: list[bytes] = []
    for n in range(KEPT_COPIES + 2):
        store = EmbeddedStore(dir=tmp_path / "store", appendfsync="always")
        store.start()
        ask(store, "SET", f"k{n}", "1")
        store.stop()
        increment = only(tmp_path / "store", "*.incr.aof")
        made.append(increment.read_bytes() + b"*3\r\n$3\r\nSET\r\n")
        increment.write_bytes(made[-1])
    with EmbeddedStore(dir=tmp_path / "store"):
        pass
    assert [path.read_bytes() for path in kept_copies(tmp_path / "store")] == made[-KEPT_COPIES:]


def test_data_that_was_on_the_disk_and_is_gone_is_not_cut_off(tmp_path: Path) -> None:
    store = EmbeddedStore(dir=tmp_path / "store", appendfsync="always")
    store.start()
    ask(store, "SET", "a", "1")
    store.note_served()
    store.stop()
    increment = only(tmp_path / "store", "*.incr.aof")
    whole = increment.read_bytes()
    for shorter in (whole[:-5], b""):
        increment.write_bytes(shorter)
        with pytest.raises(EmbeddedStoreError, match="on the disk"):
            store.start()
        assert increment.read_bytes() == shorter
    (tmp_path / "store" / "served").unlink()  # what the message says
    store.start()
    store.stop()
