"""Where the config file is looked for, and what is not found there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hero_config.layers.places import find_config


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_flag_wins_over_the_variable_and_the_variable_over_files(tmp_path: Path) -> None:
    of_user = tmp_path / "home/.config/hero/hero.toml"
    of_user.parent.mkdir(parents=True)
    of_user.touch()
    home = {"HOME": str(tmp_path / "home")}

    assert find_config("flag.toml", home | {"HERO_CONFIG": "named.toml"}) == (Path("flag.toml"), "--config")
    assert find_config(None, home | {"HERO_CONFIG": "named.toml"}) == (Path("named.toml"), "HERO_CONFIG")
    assert find_config(None, home) == (of_user, "of this user")
    Path("hero.toml").touch()
    assert find_config(None, home) == (Path("hero.toml"), "in this folder")


def test_home_that_cannot_be_looked_at_has_no_config(tmp_path: Path) -> None:
    home = tmp_path / "other/home"
    (home / ".config/hero").mkdir(parents=True)
    (home / ".config/hero/hero.toml").touch()
    home.parent.chmod(0o000)

    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(12_345)  # root could look at it
    try:
        found, _ = find_config(None, {"HOME": str(home)})
    finally:
        if as_root:
            os.seteuid(0)
        home.parent.chmod(0o700)

    assert found is None or not found.is_relative_to(home)


def test_path_that_is_too_long_has_no_config() -> None:
    assert find_config(None, {"HOME": "/x" * 3000})[1] != "of this user"
