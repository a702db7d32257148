"""Coverage-guided search for texts that break the language. Run it on demand; pytest does not collect it.

Run it in a virtual environment of its own, because atheris instruments the interpreter and is not a dependency:

    python3 -m venv fuzz-venv && fuzz-venv/bin/pip install atheris
    cd tests/engine/languages/heroscript
    PYTHONPATH=../../../../engines ../../../../fuzz-venv/bin/python fuzz.py -max_total_time=300 [corpus-folder]

All options are libFuzzer's (`-help=1`). Each input, as a script and as a parameter block, must meet these demands:

- only `HeroScriptError` is raised, and it can be shown;
- the fast path of the scanner gives the same items as its states;
- the export gives the same actions when it is parsed;
- the formatter keeps the playbook, and formatting again changes nothing.

A failure ends the run and leaves the input in a file `crash-*`. The cases of the specification are the initial corpus.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # atheris has no types, and is only in the fuzzer environment

with atheris.instrument_imports(include=["hero_engine"]):
    from hero_engine.languages.heroscript import Action, HeroScriptError, Params, Playbook, check_script, format_script
    from hero_engine.languages.heroscript.text.scan import BlockScanner
    from hero_engine.languages.heroscript.text.source import Source

WORDS = ("!!a.b ", "\n  ", " //", "<!--", "-->", "'''", '"', "\\\\n", "<BR>", "\n// ", "x:'", "',", '["', "\n\n", ":")


class StatesOnly(BlockScanner):
    """The scanner without its fast path."""

    simple = re.compile(r"(?!)")

    __slots__ = ()


def content(action: Action) -> tuple[object, ...]:
    params = action.params
    comments = sorted(params.comments)
    named = sorted(params.params, key=lambda item: item.key)
    return action.actor, action.name, action.type, action.comments, named, set(params.args), comments


def contents(text: str, *, keep: bool = False) -> list[tuple[object, ...]]:
    return [content(action) for action in Playbook.parse(text, keep_blank_lines=keep).actions]


def scan(kind: type[BlockScanner], text: str) -> object:
    source = Source(text)
    scanner = kind(source)
    try:
        for index, line in enumerate(source.lines):
            scanner.feed(index, line)
        scanner.finish()
    except HeroScriptError as error:
        return str(error)
    return scanner.items, scanner.remark, [str(warning.place) for warning in scanner.warnings]


def check_text(text: str) -> None:
    for finding in check_script(text):
        finding.render()
    assert scan(BlockScanner, text) == scan(StatesOnly, text), "the fast path differs"
    try:
        Params.parse(text)
    except HeroScriptError as error:
        error.render()
    for keep in (False, True):
        try:
            playbook = Playbook.parse(text, keep_blank_lines=keep)
        except HeroScriptError as error:
            error.render()
            return
        before = [content(action) for action in playbook.actions]
        assert contents(playbook.heroscript(show_done=True), keep=keep) == before, "the export reads back differently"
        once = format_script(text)
        assert contents(once, keep=keep) == before, "formatting changed what is read"
        assert format_script(once) == once, "formatting is not stable"


def test_one_input(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    check_text(text)
    check_text("!!a.b " + text)


def main() -> None:
    arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder) / "seeds"
        seeds.mkdir()
        cases = json.loads((Path(__file__).parent / "cases.json").read_text("utf-8"))
        for number, case in enumerate(cases):
            (seeds / f"{number}.hero").write_text(case.get("heroscript", ""), "utf-8")
        dictionary = Path(folder) / "words"
        quoted = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS)
        dictionary.write_text("".join(f'"{word}"\n' for word in quoted), "utf-8")
        options = [item for item in arguments if item.startswith("-")]
        corpora = [item for item in arguments if not item.startswith("-")]
        # libFuzzer writes its findings to the first folder: the caller's, if there is one.
        atheris.Setup(
            [sys.argv[0], f"-dict={dictionary}", "-max_len=400", *options, *corpora, str(seeds)], test_one_input
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
