"""The HeroScript engine under the contract. Its own features are tested in tests/engine/heroscript_engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_engine.engine import Engine
from hero_engine.heroscript_engine.engine import HeroScriptEngine
from hero_engine.registry import load_engine
from tests.engine.contract import EngineContract

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def heroscript() -> Iterator[Engine]:
    """One engine for all tests, because it takes a moment to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERO_ACTIONS", "module:tests.engine.heroscript_engine.vocabulary")
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        engine = load_engine("heroscript")
    yield engine
    assert isinstance(engine, HeroScriptEngine)
    engine.close()


class TestHeroScript(EngineContract):
    ENGINE = "heroscript"
    FORTY_TWO = "!!play.output result:last\n!!test.number value:42"
    FORTY_TWO_TEXT = "!!play.output result:last\n!!play.echo content:42"
    NOTHING = "!!play.output result:last\n!!test.nothing"
    LIST = "!!play.output result:last\n!!test.list"
    MAP = "!!play.output result:last\n!!test.map"
    CONSTANT = "!!play.output result:last\n!!test.constant name:NAME"
    ASSIGN_CONSTANT = "!!session.env_set key:NAME val:two"
    FAILING = "!!test.nothing\n!!test.fail message:'no luck'"
    INVALID = "!!a.b.c x:1"
    ENDLESS = "!!test.endless"
    SLEEPING = "!!test.sleep seconds:60"
    SAYING = "!!test.say text:hello"
    LEAVING_TRACES = "!!play.output result:last\n!!test.count_runs"

    @pytest.fixture
    def engine(self, heroscript: Engine) -> Engine:
        return heroscript
