"""Fixtures for the files of scripts."""

from __future__ import annotations

import pytest

from hero_engine.host.places import confined


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By the kernel, and as on a kernel that does not know the call."""
    if request.param == "walk":
        monkeypatch.setattr(confined, "_has_openat2", lambda: False)
    elif not confined._has_openat2():
        pytest.fail("this kernel has no openat2")
    return str(request.param)
