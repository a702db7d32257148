"""The schema for editors: it is current, explains every key, and accepts and refuses what the program does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hero_config.layers.load import ConfigError, load
from hero_config.model.settings import Settings
from hero_config.report.schema import docstrings, schema, schema_text
from tests.config.conftest import Lay

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA = schema()

#: The keywords of the schema that accept or refuse a value. A new one must be added to `fits`.
JUDGING = {
    "type", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "minLength", "minItems",
    "properties", "additionalProperties", "items", "required", "$ref", "anyOf",
}  # fmt: skip
TELLING = {"description", "default", "title", "$defs", "$schema"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
}  # fmt: skip


def fits(value: Any, rule: dict[str, Any]) -> bool:
    """Judge by the keywords above. Source: https://json-schema.org/draft/2020-12/json-schema-validation"""
    assert rule.keys() <= JUDGING | TELLING
    if "anyOf" in rule and not any(fits(value, one) for one in rule["anyOf"]):
        return False
    if "$ref" in rule and not fits(value, SCHEMA["$defs"][rule["$ref"].removeprefix("#/$defs/")]):
        return False
    if "type" in rule and (
        not isinstance(value, TYPES[rule["type"]]) or (isinstance(value, bool) and rule["type"] != "boolean")
    ):
        return False
    if value not in rule.get("enum", [value]):
        return False
    if isinstance(value, str):
        return re.search(rule.get("pattern", ""), value) is not None and len(value) >= rule.get("minLength", 0)
    if isinstance(value, list):
        return len(value) >= rule.get("minItems", 0) and all(fits(item, rule.get("items", {})) for item in value)
    if isinstance(value, dict):
        known, other = rule.get("properties", {}), rule.get("additionalProperties", True)
        return set(rule.get("required", ())) <= value.keys() and all(
            fits(inner, known[key]) if key in known else other is not False and (other is True or fits(inner, other))
            for key, inner in value.items()
        )
    low, high = rule.get("minimum", value), rule.get("maximum", value)
    return bool(low <= value <= high and value > rule.get("exclusiveMinimum", value - 1))


def test_committed_schema_is_that_of_the_settings() -> None:
    how = "regenerate it: hero-supervisor config schema > config/hero.schema.json"
    assert (CONFIG / "hero.schema.json").read_text() == schema_text(), how


def test_hero_toml_names_its_schema_and_fits_it() -> None:
    text = (CONFIG / "hero.toml").read_text()
    assert text.startswith("#:schema ./hero.schema.json\n")
    assert fits(tomllib.loads(text), SCHEMA)


def test_every_key_is_explained_by_its_docstring() -> None:
    for rule in (SCHEMA, *SCHEMA["$defs"].values()):
        for key, described in rule["properties"].items():
            assert described["description"].strip(), key
            assert rule["additionalProperties"] is False
    jobs = SCHEMA["$defs"]["JobsSettings"]["properties"]
    assert jobs["reply_ttl_s"]["description"] == "Seconds that an unread reply is kept."
    assert "\n" not in docstrings(type(Settings().store))["redis_url"]


@pytest.mark.parametrize(
    "text",
    [
        "[jobs]\nreply_ttl = 3\n",
        "[job]\n",
        "[jobs]\nreply_ttl_s = 0\n",
        "[jobs]\nreply_ttl_s = '3'\n",
        "[jobs]\nreply_ttl_s = '3 weeks'\n",
        "[jobs]\nreply_ttl_s = true\n",
        "[supervisor]\nlease_s = 1.5\n",
        "[supervisor]\nlog_level = 'loud'\n",
        "[embedded]\nmaxmemory = 'lots'\n",
        "[embedded]\ndir = ''\n",
        "[rpc]\nhosts = 'a'\n",
        "[rpc]\nrights = [{ callers = [] }]\n",
        "[rpc]\nrights = [{ context_id = 'x' }]\n",
        "[[actors]]\ncount = 1\n",
        "[[actors]]\ntype = 'osiris'\n",
        "[[actors]]\ntype = 'sal'\ngrace_s = 0\n",
        "[[actors]]\ntype = 'sal'\nenv = { A = 1 }\n",
        "actors = 3\n",
    ],
)
def test_editor_marks_what_the_program_refuses(lay: Lay, text: str) -> None:
    assert not fits(tomllib.loads(text), SCHEMA)
    with pytest.raises(ConfigError):
        load(lay(text), environ={})


def test_a_number_of_seconds_may_be_a_duration_in_words() -> None:
    rules = [rule["properties"] for rule in (SCHEMA, *SCHEMA["$defs"].values())]
    seconds = {key: described for properties in rules for key, described in properties.items() if key.endswith("_s")}
    assert len(seconds) > 15
    assert [key for key, described in seconds.items() if not fits("2h30m", described)] == []


@pytest.mark.parametrize("text", ["90", "'10m'", "'2H30M'", "'1d'"])
def test_editor_and_program_accept_durations(lay: Lay, text: str) -> None:
    written = f"[jobs]\nreply_ttl_s = {text}\n"
    assert fits(tomllib.loads(written), SCHEMA)
    load(lay(written), environ={})
