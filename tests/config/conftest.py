"""Configurations for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Write a main file and its drop-ins; returns the path of the main file."""

    def write(main: str, **drop_ins: str) -> Path:
        for name, text in drop_ins.items():
            path = tmp_path / "conf.d" / f"{name}.toml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        (tmp_path / "hero.toml").write_text(main)
        return tmp_path / "hero.toml"

    return write
