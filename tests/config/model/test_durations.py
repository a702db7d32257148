"""Durations in words, alone and as settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_config.layers.load import ConfigError, load
from hero_config.model.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("1.5", 1.5), ("0", 0), ("250ms", 0.25), ("30s", 30), ("10m", 600), ("2h30m", 9000), ("1.5h", 5400),
        ("7d", 604_800), ("1w", 604_800), (" 10M ", 600), ("1m0.1s", 60.1),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10 m", "30m2h", "5m5m", "10y", "1e", "ten", "10m 5", "--"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30, 30s, 10m, 2h30m or 7d"):
        parse_duration(text)


def test_settings_in_seconds_take_durations_from_every_layer(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text(
        '[jobs]\nresult_ttl_s = "12h"\n[[actors]]\ntype = "sal"\nshutdown_s = "1m30s"\n'
    )

    settings = load(tmp_path / "hero.toml", environ={"HERO_SUPERVISOR__LEASE_S": "1m"})

    assert (settings.jobs.result_ttl_s, settings.supervisor.lease_s, settings.actors[0].shutdown_s) == (43_200, 60, 90)
    with pytest.raises(ConfigError, match="should be a number of seconds"):
        load(environ={"HERO_SUPERVISOR__LEASE_S": "soon"})
