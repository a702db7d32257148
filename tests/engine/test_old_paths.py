"""Names of version 0.1 that packages with handlers import still work."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from hero_engine import heroscript_engine
from hero_engine.languages import heroscript


def test_old_path_of_the_language_has_its_names_and_says_where_they_are_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "hero_engine.heroscript", raising=False)

    with pytest.deprecated_call(match=r"import from hero_engine\.languages\.heroscript"):
        old = import_module("hero_engine.heroscript")

    assert all(getattr(old, name) is getattr(heroscript, name) for name in heroscript.__all__)


def test_old_name_of_the_session_still_works() -> None:
    assert heroscript_engine.Session is heroscript_engine.ScriptSession
