"""Byte order marks are passed over, and characters that look like blanks are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, Limits, Script
from hero_engine.languages.oschema.files import read_schema_folder
from hero_engine.rhai import create_engine
from hero_engine.rhai_check import read_script


def test_a_rhai_script_may_begin_with_a_byte_order_mark() -> None:
    engine = create_engine()
    script = Script(source="\ufeff40 + 2", name="")

    outcome = engine.run(script, constants={}, limits=Limits(timeout_s=300), run=engine.new_run())

    assert isinstance(outcome, Done)
    assert outcome.output == "42"
    assert engine.check(script) is None
    assert read_script(script.source)["error"] is None


@pytest.mark.parametrize("blank", ["\u00a0", "\u200b", "\u2003", "\u3000"])
def test_what_looks_like_a_blank_is_named_with_its_line(blank: str) -> None:
    engine = create_engine()
    script = Script(source=f"if true {{\n{blank}{blank}1;\n}}", name="")

    outcome = engine.run(script, constants={}, limits=Limits(timeout_s=300), run=engine.new_run())

    assert isinstance(outcome, Failed)
    assert f"U+{ord(blank):04X} looks like a blank" in outcome.message
    assert outcome.line == 2
    assert f"U+{ord(blank):04X}" in read_script(script.source)["error"]["text"]


def test_a_schema_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    builtin = Path(__file__).parents[2] / "engines/hero_engine/languages/oschema/builtin.oschema"
    (tmp_path / "a.oschema").write_text("\ufeff" + builtin.read_text("utf-8"), "utf-8")

    read, expected = read_schema_folder(str(tmp_path)), read_schema_folder(str(builtin.parent))

    assert read.definitions.keys() == expected.definitions.keys()
