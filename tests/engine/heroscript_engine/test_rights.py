"""The table `[actors.allow]` for HeroScript: it allows what the variables allow, and its rules take away from both."""

from __future__ import annotations

import json
import time

import pytest

from hero_engine.engine import Asker, Done, Failed, Limits, Outcome, Script
from hero_engine.errors import AccessRefused, EngineUnavailable
from hero_engine.heroscript_engine.engine import HeroScriptEngine
from hero_engine.heroscript_engine.run.settings import EngineSettings

TABLE = json.dumps(
    {
        "run": ["echo"],
        "net": ["example.org:443"],
        "jobs": True,
        "context_rules": [{"contexts": ["guest-*"], "run": [], "jobs": False}],
    }
)
ENVIRON = {"HERO_ALLOW": TABLE, "HERO_ALLOW_COMMANDS": "cat", "HERO_ALLOW_HTTP": "other.org"}


def run(engine: HeroScriptEngine, source: str, context_id: str) -> Outcome:
    return engine.run(
        Script(source=source),
        constants={"CONTEXT_ID": context_id, "CALLER_ID": "alice", "JOB_ID": "1"},
        limits=Limits(timeout_s=300),
        run=engine.new_run(),
    )


def test_table_and_variables_add_up_and_rules_take_away_from_both(python_path: None) -> None:
    settings = EngineSettings.from_environ(ENVIRON)
    guest = settings.for_run({"CONTEXT_ID": "guest-1", "CALLER_ID": "a"})

    assert settings.commands == ("echo", "cat")
    assert settings.http == ("example.org:443", "other.org")
    assert (guest.commands, guest.http, guest.jobs) == ((), settings.http, False)

    engine = HeroScriptEngine(settings)
    try:
        allowed = run(engine, "!!osal.exec cmd:'echo hello'", "home")
        refused = run(engine, "!!osal.exec cmd:'echo hello'", "guest-1")
        assert isinstance(allowed, Done)
        assert "hello" in allowed.output
        assert isinstance(refused, Failed)
        assert "not allowed" in refused.message
        guest_asks = Asker(job_id="1", caller_id="a", context_id="guest-1", deadline_mono=time.monotonic() + 60)
        with pytest.raises(AccessRefused, match="is not allowed here"):
            engine.answer(guest_asks, "job.create", {})
    finally:
        engine.close()


def test_table_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(EngineUnavailable, match="HERO_ALLOW"):
        EngineSettings.from_environ({"HERO_ALLOW": '{"rum": []}'})
