"""A config that an editor has begun with a byte order mark."""

from __future__ import annotations

from pathlib import Path

from hero_config.layers.load import load_config


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "hero.toml"
    path.write_text("\ufeff[jobs]\nmax_redeliveries = 7\n", "utf-8")

    config = load_config(str(path))

    assert config.settings.jobs.max_redeliveries == 7
    assert config.origin(("jobs", "max_redeliveries")).line == 2
