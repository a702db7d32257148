"""Ids, errors and fields that other people have chosen do not steer the terminal of those who look at them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_ctl.output.visible import json_text, visible
from hero_job import JobBuilder, JobFailed
from hero_job.client.store import Store
from hero_job.operations.schedules import Schedule
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is
from tests.ctl.conftest import environment
from tests.ctl.output.test_formats import on_terminal
from tests.deployment import Deployment

#: Names the window, clears the screen, reverses the text, uses a control of one byte, overwrites the line.
BAD = "\x1b]0;gotcha\x07\x1b[2J\u202e\x9b31m\r\x08\n<"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
JSON = [["list", "-o", "json"], ["list", "-o", "jsonl"], ["show", "steer-1", "--json"], ["events", "--json"]]
LINES = [
    ["list"], ["list", "-o", "wide"], ["list", "-o", "name"], ["show", "steer-1"], ["show", "steer-2"],
    ["show", f"foreign{BAD}"], ["stop", BAD], ["wait", "steer-2"], ["events"], ["batch", "jobs", "steer"],
    ["dead", "list"],
    ["schedule", "list"], ["schedule", "show", "steer"], ["schedule", "show", BAD], ["doctor"],
    ["run", r'throw "\x1b]0;gotcha\x07"'], ["delete", "--all", "--status", "error", "--dry-run"], ["result", "steer-2"],
]  # fmt: skip


@pytest.fixture(scope="module")
def steered(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment with such characters in whatever may hold them, also in records of other programs."""

    def job(script: str) -> JobBuilder:
        return JobBuilder().caller_id(BAD).context_id(BAD).script_type("sal").script(script).timeout(60)

    keys = Keys()
    foreign = {"caller_id": BAD, "context_id": BAD, "script": BAD, "script_type": BAD, "status": BAD, "error": BAD}
    with deployment.supervisor() as supervisor, Store(deployment.url) as store:
        supervisor.create_jobs([job('"x"').id("steer-1").build()], batch_id="steer")
        supervisor.await_batch("steer", 150)
        with pytest.raises(JobFailed):
            supervisor.run_job_and_await_result(job(r'throw "\x1b]0;gotcha\x07\u202e"').id("steer-2").build(), 150)
        supervisor.put_schedule(
            Schedule(
                name="steer",
                job={"caller_id": BAD, "context_id": BAD, "script": BAD, "script_type": "SAL"},
                cron="0 0 1 1 *",
            )
        )
        fields = [part for pair in {**foreign, "id": f"foreign{BAD}"}.items() for part in pair]
        store.run(Op(("HSET", keys.job(f"foreign{BAD}"), *fields), as_is))
        store.run(Op(("HSET", keys.schedules, f"bad{BAD}", BAD), as_is))
        yield deployment
        store.run(Op(("DEL", keys.job(f"foreign{BAD}")), as_is))
        store.run(Op(("HDEL", keys.schedules, f"bad{BAD}"), as_is))


def on_screen(deployment: Deployment, folder: Path, words: list[str]) -> str:
    env = environment(deployment.url) | {"HERO_CONFIG": f"{deployment.folder}/hero.toml", "TERM": "xterm"}
    shown = on_terminal(100, *words, cwd=folder, env=env)
    assert "Traceback" not in shown
    return COLOUR.sub("", shown)


def test_no_message_list_or_record_steers_the_terminal(steered: Deployment, tmp_path: Path) -> None:
    wrong = {}
    for words in LINES:
        shown = on_screen(steered, tmp_path, words)
        assert shown.strip(), words
        if found := STEERING.search(shown):
            wrong[" ".join(words)] = shown[max(0, found.start() - 60) : found.end() + 20]
    assert wrong == {}


def test_json_on_a_terminal_is_the_same_json_without_steering(steered: Deployment, tmp_path: Path) -> None:
    for words in JSON:
        shown = on_screen(steered, tmp_path, words)
        assert not STEERING.search(shown), words
        rows = (
            [json.loads(shown)]
            if words[0] != "events" and "jsonl" not in words
            else map(json.loads, shown.splitlines())
        )
        assert list(rows), words
        if words[0] != "events":
            assert json.dumps(BAD)[1:7] in shown


@pytest.mark.parametrize("character", "\x00\x07\x08\r\x1b\x7f\x80\x9b\u202e\u2028\u2066")
def test_a_steering_character_is_written_visibly_and_json_stays_the_same(character: str) -> None:
    assert visible(f"a{character}b").isprintable()
    assert visible(f"a{character}b") == f"a{repr(character)[1:-1]}b"
    assert json_text([f"a{character}é"]).isprintable()
    assert json.loads(json_text({character: character})) == {character: character}


@pytest.mark.parametrize("text", ["a\tb\nc", "naïve 名前 👩\u200d👧", "\u00a0", "שלום", "\\x1b"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert json_text(text) == json.dumps(text, ensure_ascii=False)
