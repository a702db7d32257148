"""What V misreads is found, and written so that V reads it.

`v_cases.json` holds scripts with both readings; most of V's are those of the real program. The generators make scripts
around each quirk.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hero_engine.languages.heroscript import (
    HeroScriptError,
    Playbook,
    check_script,
    find_misreadings,
    format_script,
)
from hero_engine.languages.heroscript.tools.v_check import reads_alike
from hero_engine.languages.heroscript.tools.v_reading import read_as_v
from tests.engine.languages.heroscript.scripts import scripts
from tests.engine.languages.heroscript.test_cases import CASES as SPECIFIED

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "v_cases.json").read_text("utf-8"))
Reading = list[list[Any]] | None


def read_by_v(text: str) -> Reading:
    actions = read_as_v(text)
    if any(action.error for action in actions):
        return None
    return [[action.actor, action.name, action.params, action.args] for action in actions]


def read_by_us(text: str) -> Reading:
    actions = Playbook.parse(text).actions
    return [[action.actor, action.name, action.params.get_map(), list(action.params.args)] for action in actions]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_readings_are_known(case: dict[str, Any]) -> None:
    assert read_by_v(case["script"]) == case["v"]
    assert read_by_us(case["script"]) == case["ours"]
    comments = [[param.comment for param in action.params.params] for action in Playbook.parse(case["script"]).actions]
    assert comments == case["comments"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_misreadings_are_found_and_can_be_written_rightly(case: dict[str, Any]) -> None:
    assert [finding.code for finding in find_misreadings(case["script"])] == case["warnings"]
    written = format_script(case["script"], for_v=True)
    assert read_by_v(written) == read_by_us(written) == case["ours"]
    assert find_misreadings(written) == []
    assert format_script(written, for_v=True) == written


@pytest.mark.parametrize(
    "case", [c for c in SPECIFIED if "heroscript" in c and "replace" not in c], ids=lambda case: case["name"]
)
def test_the_reading_of_v_is_that_of_the_specification(case: dict[str, Any]) -> None:
    expect = case["expect"]
    found = read_by_v(case["heroscript"])
    if "error" in expect:
        assert found is None
    else:
        assert found == [[a["actor"], a["action"], a["params"], a["args"]] for a in expect["actions"]]


@pytest.mark.parametrize("comment", ["    //\n", "    // \n    //\n", "    //-\n", "    a:b //\n", "    a:b // -\n"])
def test_after_a_bare_comment_the_next_one_begins_with_no_dash(comment: str) -> None:
    (action,) = Playbook.parse(f"!!a.b\n{comment}    // own\n    k:v // note").actions
    assert not action.params.comment_of("k").startswith("-")
    assert action.params.comment_of("k").startswith("own")


_word = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
_words = st.lists(_word, min_size=2, max_size=4).map(" ".join)
_after = st.builds("    {}:{}\n".format, st.sampled_from(["after", "next"]), _word)
#: For each quirk, parameters that V misreads, whatever comes before and after them.
QUIRKS = {
    "Q03": st.builds("    t:'\n        {}\n        !{}\n        '\n".format, _word, _words),
    "Q12": st.one_of(
        st.builds("    // it's {}\n".format, _words),
        st.builds("    // see https://{} for {}\n".format, _word, _words),
        st.builds("    k:{} // the '{}'\n".format, _word, _word),
    ),
    "Q13": st.builds("    url:{}://{}/{} l:{}\n".format, _word, _word, _word, _word),
    "Q14": st.one_of(
        st.builds('    k:{{"{}":1}}\n'.format, _word),
        st.builds("    k:'say \"{}\"'\n".format, _words),
        st.builds('    k:"it\'s {}"\n'.format, _words),
    ),
    "Q17": st.builds("    k:'{}',{}\n".format, _words, _word),
    "Q18": st.builds("    k:'{}','{}' l:'{}'\n".format, _word, _word, _words),
    "v-backslash": st.builds("    t:'\n        {}\n        {}\\\n        '\n".format, _word, _words),
}


@pytest.mark.parametrize("code", QUIRKS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_quirk_is_found_and_can_be_written_rightly(code: str, data: st.DataObject) -> None:
    quirk = data.draw(QUIRKS[code])
    # Only at the end of a block does V's mark of lists do harm.
    after = "" if code == "Q18" else data.draw(_after)
    before = data.draw(st.one_of(st.just(""), st.builds("    before:{}\n".format, _word)))
    script = f"!!a.b\n{before}{quirk}{after}!!c.d x:1\n"
    ours = read_by_us(script)
    assert read_by_v(script) != ours
    assert code in {finding.code for finding in find_misreadings(script)}
    written = format_script(script, for_v=True)
    assert read_by_v(written) == read_by_us(written) == ours


@given(text=scripts)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("!!a.b\n  k:'a \"b\" it\\'s'")
@example("!!a.b t:'\n  !x \"y\"\n  '\n")
def test_a_script_without_findings_is_read_alike_and_writing_keeps_its_meaning(text: str) -> None:
    found = find_misreadings(text)
    for finding in found:
        finding.render()
    try:
        playbook = Playbook.parse(text)
    except HeroScriptError:
        return
    theirs = {action.start: action for action in read_as_v(text)}
    alike = all(reads_alike(a, theirs.get(a.params.block.start if a.params.block else -1)) for a in playbook.actions)
    assert alike or found
    written = format_script(text, for_v=True)
    assert read_by_us(written) == read_by_us(text)
    if not found:
        assert find_misreadings(written) == []
    assert not [f for f in check_script(written) if f.code == "syntax"]
