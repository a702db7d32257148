"""`config/hero.toml`: it is current, holds exactly the defaults, and explains every key."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from hero_config.layers.key_paths import models_in
from hero_config.layers.load import load
from hero_config.model.settings import Settings
from hero_config.report.default_file import default_file

HERO_TOML = Path(__file__).parents[3] / "config" / "hero.toml"


def sections() -> list[type[BaseModel]]:
    return [model for field in Settings.model_fields.values() for model in models_in(field.annotation)]


def test_committed_file_is_that_of_the_settings() -> None:
    how = "regenerate it: python -m hero_config.report.default_file > config/hero.toml"
    assert HERO_TOML.read_text() == default_file(), how


def test_file_holds_exactly_the_defaults() -> None:
    assert load(HERO_TOML, environ={}) == Settings()


def test_every_key_stands_in_the_file_below_its_explanation() -> None:
    lines = HERO_TOML.read_text().splitlines()
    for key in [key for model in sections() for key in model.model_fields if key != "allow"]:
        above = [before for before, line in pairwise(lines) if line.startswith(f"{key} = ")]
        assert any(line.startswith("# ") for line in above), f"{key} is missing or not explained"


def test_no_line_is_longer_than_120_characters() -> None:
    assert [line for line in HERO_TOML.read_text().splitlines() if len(line) > 120] == []
