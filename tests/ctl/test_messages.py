"""Messages speak of values as the user wrote them, in JSON or TOML: no words of Python reach a user."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.model.errors import HeroJobError
from hero_job.model.fields.shown_values import shown
from hero_job.model.job import JOB_FIELDS, Job
from hero_supervisor.rpc.unix.client import call
from tests.ctl.conftest import Heroctl
from tests.deployment import Deployment
from tests.supervisor.program import run_program

#: What only Python writes: its constants, names of its types, and representations of objects.
PYTHON = re.compile(r"\b(None|True|False|NoneType|dict|bool|float|int|str|tuple|frozenset)\b|<\w+[ .:]|\b\w+\(['\[{)]")
WRONG: list[Any] = [None, True, 1.5, -1, 10**18, [], [None], [True, {}], {}, {"a": None}, {"b": [True]}, "", "\0", "ü"]
JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def without_quotes(message: str) -> str:
    """A message without the texts that it quotes."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "", message)


@given(name=st.sampled_from([field.name for field in JOB_FIELDS]), value=JSON)
def test_no_wrong_value_of_a_field_is_shown_as_python_writes_it(name: str, value: Any) -> None:
    try:
        Job.from_fields({**JOB, "timeout": 1, name: value})
    except HeroJobError as e:
        assert not PYTHON.search(without_quotes(str(e))), e


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (1.5, "1.5"), ("a", "'a'"), ([None, "ü"], '[null, "ü"]'),
        ({"a": 1}, '{"a": 1}'), (object(), "a value of the type object"), ({"a": {1}}, '{"a": "an array"}'),
        ("x" * 99, "'" + "x" * 78 + "…"),
    ],
)  # fmt: skip
def test_values_are_shown_as_json_and_texts_in_quotes(value: object, text: str) -> None:
    assert shown(value) == text


def test_the_service_answers_wrong_fields_without_words_of_python(deployment: Deployment) -> None:
    """Over the socket, for every field and every kind of wrong value."""
    messages = []
    for field in JOB_FIELDS:
        for value in WRONG:
            answer = call(str(deployment.socket), "create_job", {**JOB, field.name: value}, 60)
            if "error" in answer:
                error = answer["error"]
                assert error["code"] == -32602, error
                messages += [f"{error['message']} {(error.get('data') or {}).get('reason', '')}"]

    assert len(messages) > len(JOB_FIELDS)
    assert [message for message in messages if PYTHON.search(without_quotes(message))] == []


def test_rpc_and_options_name_a_wrong_value_in_plain_words(heroctl: Heroctl, deployment: Deployment) -> None:
    where = ("--socket", str(deployment.socket))
    shown_of = {
        json.dumps({**JOB, "timeout": [True]}): "timeout",
        json.dumps({**JOB, "env_vars": {"A": None}}): "env_vars",
        json.dumps({**JOB, "priority": {"a": None}}): "priority",
        json.dumps({**JOB, "concurrent": "yes"}): "concurrent",
    }
    for params, field in shown_of.items():
        done = heroctl("rpc", "create_job", params, *where)
        assert done.returncode == 1
        assert field in done.stderr
        assert not PYTHON.search(without_quotes(done.stderr)), done.stderr


def test_wrong_settings_are_shown_as_toml_writes_them(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text(
        '[rpc]\nport = true\norigins = { a = [1, "b"], c = false }\n[jobs]\nmax_timeout_s = []\n[odd]\na = 1979-05-27\n'
    )

    done = run_program(tmp_path, "config", "check", "hero.toml")

    assert done.returncode == 2
    assert "rpc.port = true: " in done.stderr
    assert "rpc.origins = { a = [1, 'b'], c = false }: " in done.stderr
    assert "jobs.max_timeout_s = []: " in done.stderr
    assert "odd = { a = 1979-05-27 }: " in done.stderr
    assert not PYTHON.search(without_quotes(done.stderr)), done.stderr
