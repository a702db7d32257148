"""Store URLs."""

from __future__ import annotations

import pytest

from hero_job import StoreUrlInvalid
from hero_job.client.url import Mode, parse_url


def test_a_tcp_url_has_documented_defaults() -> None:
    url = parse_url("redis://example")

    assert (url.hosts, url.db, url.tls, url.password, url.path) == ((("example", 6379),), 0, False, None, None)


def test_all_parts_of_a_url_are_read() -> None:
    url = parse_url("rediss://user:p%40ss@[::1]:7000/3?ssl_ca_certs=/ca.pem")

    assert (url.hosts, url.db, url.tls) == ((("::1", 7000),), 3, True)
    assert (url.username, url.password, url.options["ssl_ca_certs"]) == ("user", "p@ss", "/ca.pem")


def test_a_unix_url_has_its_path_and_database() -> None:
    url = parse_url("unix:///run/my%20hero/valkey.sock?db=2")

    assert (url.path, url.db) == ("/run/my hero/valkey.sock", 2)


@pytest.mark.parametrize("text", ["redis://u:secret@h/1", "redis://:secret@h:99999/", "redis://:secret@h/x"])
def test_a_password_is_never_shown(text: str) -> None:
    try:
        shown = parse_url(text).shown
    except StoreUrlInvalid as e:
        shown = str(e)

    assert "secret" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://u:secret@h/1", "redis://u:***@h/1"),
        ("redis://:secret@h/1", "redis://:***@h/1"),
        ("redis://u@h/1", "redis://u@h/1"),
    ],
)
def test_all_but_the_password_is_shown(text: str, shown: str) -> None:
    assert parse_url(text).shown == shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://h", "must begin with"),
        ("localhost:6379", "must begin with"),
        ("redis://h/notanumber", "database must be a number"),
        ("redis://h:port/", "HOST:PORT"),
        ("unix://", "names no path"),
        ("redis://h?retry=1", "unknown option 'retry'"),
        ("redis://us%er:p@h", "percent-encode"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(StoreUrlInvalid, match=says):
        parse_url(text)


def test_sentinels_are_named_with_their_service() -> None:
    url = parse_url("redis+sentinel://u:p@one,two:7000/mymaster/2?sentinel_password=s3cret")

    assert url.mode is Mode.SENTINEL
    assert (url.hosts, url.service, url.db) == ((("one", 26379), ("two", 7000)), "mymaster", 2)
    assert "s3cret" not in url.shown


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    url = parse_url("rediss+cluster://one:7000,two:7001")

    assert (url.mode, url.hosts, url.tls) == (Mode.CLUSTER, (("one", 7000), ("two", 7001)), True)


@pytest.mark.parametrize(
    ("text", "says"),
    [("redis+sentinel://h", "names no service"), ("redis+cluster://h/1", "no databases")],
)
def test_a_url_of_many_servers_that_cannot_be_used_is_refused(text: str, says: str) -> None:
    with pytest.raises(StoreUrlInvalid, match=says):
        parse_url(text)


def test_a_unix_path_may_be_relative() -> None:
    assert parse_url("unix://.hero/store/valkey.sock").path == ".hero/store/valkey.sock"
    assert parse_url("unix://user:pw@run/valkey.sock").path == "run/valkey.sock"
