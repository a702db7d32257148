"""The token of `hero-dev`: the folder keeps it, and nobody else has ever been able to read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_ctl.dev.port import DevPort


@pytest.fixture
def port() -> Iterator[DevPort]:
    one = DevPort(None)
    yield one
    one.listener.close()


def test_a_token_is_kept(port: DevPort, tmp_path: Path) -> None:
    port.take_token(tmp_path)
    before = port.token

    port.take_token(tmp_path)

    assert port.token == before == (tmp_path / "token").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize(
    ("text", "mode"), [("a" * 32, 0o644), ("b" * 32, 0o620), ("", 0o600), ("\n", 0o600), ("short", 0o600)]
)
def test_a_token_that_others_may_know_is_replaced(port: DevPort, tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)

    port.take_token(tmp_path)

    assert port.token == path.read_text() != text
    assert (len(port.token), path.stat().st_mode & 0o777) == (32, 0o600)


def test_a_link_to_another_file_is_not_followed(port: DevPort, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("c" * 32)
    other.chmod(0o600)
    (tmp_path / "token").symlink_to(other)

    port.take_token(tmp_path)

    assert port.token != other.read_text() == "c" * 32
