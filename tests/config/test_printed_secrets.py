"""No command and no error prints a part of a password, whatever characters it has and wherever it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from hero_config.layers.secrets import without_secrets
from hero_config.model.urls import problem_of_url, shown_url
from hero_ctl.error_messages import explain
from hero_job import HeroJobError, StoreUrlInvalid
from hero_job.client.url import parse_url
from hero_supervisor.cli import main
from tests.ctl.in_process import invoke

#: A password in two parts, around a character that should be percent-encoded, or may be taken for a part of a URL.
ODD = ("#", "/", "?", "@", ":", "%", "%zz", " ", "[", "]", "\\", '"', "'", "&", "=", ";", "\t", "é", "$", "{", "0x", "")
FIRST, SECOND = "S3CRa", "S3CRb"
#: Where a password may stand, by mistake or not.
PLACES = (
    "redis://:{}@127.0.0.1:1/0",
    "redis://user:{}@127.0.0.1:1",
    "rediss://user:{}@127.0.0.1:1/0",
    "unix://:{}@tmp/none.sock",
    "unix:///tmp/none.sock?password={}",
    "redis+sentinel://:{}@127.0.0.1:1/service",
    "redis+sentinel://127.0.0.1:1/service?sentinel_password={}",
    "redis+cluster://:{}@127.0.0.1:1",
    "redis://127.0.0.1:{}",
    "redis://user:{}",
    "redis://127.0.0.1:1/{}",
    "redis://127.0.0.1:1?password={}",
    "redis:/:{}@127.0.0.1:1",
    ":{}@127.0.0.1:1",
    "http://user:{}@127.0.0.1:1",
)
URLS = [
    place.format(FIRST + odd + SECOND)
    for place in PLACES
    for odd in ODD
    if odd != "@" or "@" in place or "/{}" in place or "={}" in place  # otherwise the second part is a host
]
#: A few of them for what takes longer.
SOME = [place.format(FIRST + odd + SECOND) for i, place in enumerate(PLACES) for odd in (ODD[i % len(ODD)], "#")]


def assert_hidden(text: str, url: str) -> None:
    assert "S3CR" not in text, f"{url}: {text}"


@pytest.mark.parametrize("url", URLS)
def test_neither_the_config_nor_the_store_shows_a_part_of_it(url: str) -> None:
    assert_hidden(shown_url(url), url)
    try:
        parsed = parse_url(url)
    except StoreUrlInvalid as e:
        assert_hidden(str(e), url)
    else:
        assert_hidden(parsed.shown, url)
        # What is accepted means what it says.
        assert (parsed.password or dict(parsed.options).get("sentinel_password", "")).startswith(FIRST)


@pytest.mark.parametrize("url", URLS)
def test_config_and_store_refuse_the_same_urls_as_ambiguous(url: str) -> None:
    if re.match(r"(rediss?(\+sentinel|\+cluster)?|unix)://", url) and problem_of_url(url) is not None:
        with pytest.raises(StoreUrlInvalid):
            parse_url(url)


def told(arguments: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        main(arguments)
    return out.getvalue()


@pytest.mark.parametrize("url", SOME)
def test_no_command_on_the_config_prints_a_part_of_it(url: str, tmp_path: Path) -> None:
    quoted = url.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    config = tmp_path / "hero.toml"
    allow = f'[[actors]]\ntype = "sal"\n[actors.allow]\nredis = "{quoted}"\nredis_prefix = "x:"\n'
    for text in (f'[store]\nredis_url = "{quoted}"\n', allow, f'[store]\nredis_urll = "{quoted}"\n'):
        config.write_text(text)
        for command in (["check"], ["show"], ["show", "--json"], ["store-url"]):
            assert_hidden(told(["config", *command, "--config", str(config)]), url)
    assert_hidden(told(["config", "check", "--set", f"store.redis_url={url}"]), url)


@pytest.mark.parametrize("url", SOME)
@pytest.mark.parametrize("command", [["ping"], ["queues"], ["doctor"], ["actors", "--json"]], ids=" ".join)
def test_no_command_of_heroctl_prints_a_part_of_it(url: str, command: list[str]) -> None:
    result = invoke([*command, "--redis-url", url])
    assert result.exit_code != 0
    error = result.exception
    assert isinstance(error, SystemExit | HeroJobError), error
    explained = explain(error).text if isinstance(error, HeroJobError) else ""
    assert_hidden(result.output + explained, url)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("env", "redis://:S3CR#x@h"),
        ("command", ["prog", "redis://:S3CR#x@h", ":S3CR@h:1", "--url=redis://u:S3CR/x@h"]),
        ("binary", "redis://u:S3CR@h"),
    ],
)
def test_urls_in_other_keys_are_hidden(key: str, value: object) -> None:
    assert "S3CR" not in str(without_secrets(("actors", 0, key), value))
