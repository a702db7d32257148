"""Access tokens and nonces in the store."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from hero_job import JobInvalid
from hero_job.client.store import Store
from hero_job.operations.credentials import NONCE_LIVES_S, Credentials, StoredToken, token_hash
from hero_job.protocol.keys import Keys
from tests.valkey_server import ValkeyServer


def token(name: str = "ops", **fields: Any) -> StoredToken:
    return StoredToken(
        **{"name": name, "scope": "admin", "sha256": "0" * 64, "created_at": "2026-11-24T06:00:00Z", **fields}
    )


@pytest.fixture
def credentials(namespace: str) -> Credentials:
    return Credentials(namespace)


def test_tokens_are_read_back_and_a_name_can_be_used_once(store: Store, credentials: Credentials) -> None:
    first, second = token("b", expires_at="2027-01-01T00:00:00+02:00"), token("a", scope="read")
    added = [store.run(credentials.add_token(one)) for one in (first, second, token("b", scope="user"))]
    both = store.run(credentials.tokens()).tokens
    removed = [store.run(credentials.remove_token("b")) for _ in range(2)]

    assert added == [True, True, False]
    assert both == [second, first]
    assert first.expires_at == "2026-12-31T22:00:00.000Z"
    assert removed == [True, False]
    assert store.run(credentials.tokens()).tokens == [second]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"scope": "god"}', '{"scope": "read", "sha256": "x"}'])
def test_a_damaged_entry_is_reported_and_hides_no_other(
    valkey: ValkeyServer, namespace: str, store: Store, credentials: Credentials, text: str
) -> None:
    store.run(credentials.add_token(token()))
    with redis.Redis.from_url(valkey.url) as plain:
        plain.hset(Keys(namespace).tokens, "bad", text)

    found = store.run(credentials.tokens())

    assert (found.tokens, [d.name for d in found.damaged]) == ([token()], ["bad"])


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""}, {"name": "two words"}, {"scope": "god"}, {"sha256": "A" * 64}, {"sha256": "0"},
        {"created_at": "today"}, {"expires_at": "2027-01-01T00:00:00"},
    ],
)  # fmt: skip
def test_a_token_with_an_invalid_field_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(JobInvalid):
        token(**fields)


def test_a_nonce_can_be_taken_once_and_expires(
    valkey: ValkeyServer, namespace: str, store: Store, credentials: Credentials
) -> None:
    store.run(credentials.put_nonce("n", "02ab"))
    with redis.Redis.from_url(valkey.url) as plain:
        ttl_s = plain.ttl(Keys(namespace).nonce("n"))

    assert 0 < ttl_s <= NONCE_LIVES_S
    assert [store.run(credentials.take_nonce(n)) for n in ("n", "n", "unknown")] == ["02ab", None, None]


def test_the_hash_of_a_token_is_its_sha_256() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(token_hash("\udc80")) == 64
