"""The hundred cases of the specification, each with the decision about its quirk."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hero_engine.languages.heroscript import HeroScriptError, Playbook, load_playbook
from tests.engine.languages.heroscript.playcases import describe, replace_token, run_call

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases.json").read_text("utf-8"))

# The fixed behaviour of quirks for which the file does not spell it out. The two cases about built-ins (Q44, Q45) leave
# the behaviour to the engine; here nothing happens.
DECIDED: dict[str, dict[str, Any]] = {
    "params/space_before_colon_breaks_key": {"args": [[]]},
    "args/arg_case_duplicate_rule": {"args": [["git", "Curl"]]},
    "getters_string/stored_keys_that_get_cannot_reach": {
        "checks": [
            {"call": "get", "action": 0, "args": ["a__b"], "result": "1"},
            {"call": "get", "action": 0, "args": ["a.b.c"], "result": "2"},
            {"call": "get", "action": 0, "args": ["x/y"], "result": "3"},
        ]
    },
    "getters_numlist/brackets_not_accepted": {
        "checks": [{"call": "get_list_int", "action": 0, "args": ["br"], "result": [1, 2]}]
    },
}


def load(case: dict[str, Any], folder: Path) -> Playbook:
    for name, text in case.get("files", {}).items():
        (folder / name).write_text(text, "utf-8")
    if case.get("load") == "directory":
        return load_playbook(folder)
    return Playbook.parse(case["heroscript"], replace=case.get("replace"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case_of_the_specification_holds(case: dict[str, Any], tmp_path: Path) -> None:
    case = replace_token(case, tmp_path)
    expect = dict(case["expect"])
    if case.get("recommend") == "fix":
        fixed = case.get("expect_fixed", {}) | DECIDED.get(case["name"], {})
        if "error" not in fixed and "error" in expect:
            del expect["error"]
        expect.update(fixed)
        if case.get("expect_fixed"):
            expect.pop("checks", None)
    if "error" in expect:
        with pytest.raises(HeroScriptError) as caught:
            load(case, tmp_path)
        assert expect["error"] in str(caught.value)
        assert caught.value.line >= 1
        assert caught.value.column >= 1
        return
    playbook = load(case, tmp_path)
    check_actions(playbook, expect)
    for check in expect.get("checks", []):
        if "error" in check:
            with pytest.raises(HeroScriptError) as caught:
                run_call(playbook, check)
            assert check["error"] in str(caught.value)
        elif "result_now_plus" in check:
            assert abs(run_call(playbook, check) - time.time() - check["result_now_plus"]) < 5
        else:
            assert run_call(playbook, check) == check["result"]


def check_actions(playbook: Playbook, expect: dict[str, Any]) -> None:
    wanted = [dict(action) for action in expect.get("actions", [])]
    for field in ("params", "args"):
        for action, value in zip(wanted, expect.get(field, []), strict=False):
            action[field] = value
    if wanted:
        assert describe(playbook, wanted) == wanted
    else:
        assert [action.params.get_map() for action in playbook.actions] == expect.get("params", [])
    if "othertext" in expect:
        assert playbook.othertext == expect["othertext"]


def test_blank_lines_in_values_are_kept_on_request_as_the_case_of_q02_wants() -> None:
    case = next(case for case in CASES if case["name"] == "multiline/blank_lines_inside_are_lost")
    playbook = Playbook.parse(case["heroscript"], keep_blank_lines=True)
    assert [action.params.get_map() for action in playbook.actions] == case["expect_fixed"]["params"]


def test_there_are_a_hundred_cases() -> None:
    assert len(CASES) == 100
