"""Time grows in proportion to the length of the text, for tidy and for hostile texts.

The tests do not use absolute times. They compare the best of several runs at one size with the best of several at four
times that size, where a quadratic step would give a ratio of 16.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from hero_engine.languages.heroscript import HeroScriptError, Params, Playbook, check_script, format_script

BOUND = 10.0
# Shorter times depend on the clock and the caches more than on the text. A quadratic step takes longer at these sizes.
NOISE_S = 0.01

TEXTS: dict[str, Callable[[int], str]] = {
    "tidy": lambda n: "".join(f"!!vm.define name:web{i} cpu:4 mem:'8 GB'\n" for i in range(n // 8)),
    "commented": lambda n: "!!a.b\n  // one\n  x:1 y:2 // two\n" * (n // 8),
    "many keys": lambda n: "!!a.b " + " ".join(f"k{i}:1" for i in range(n)),
    "many arguments": lambda n: "!!a.b " + " ".join(f"a{i}" for i in range(n)),
    "one key again and again": lambda n: "!!a.b " + "x:1 " * n,
    "tabbed keys": lambda n: "!!a.b\t" + "x:\ty:1\t" * n,
    "unclosed quote": lambda n: "!!a.b x:'" + "y " * n * 4,
    "unclosed quote over lines": lambda n: "!!a.b x:'\n" + "  y 'z\n" * n,
    "one long word": lambda n: "!!a.b " + "y" * n * 8,
    "one long name": lambda n: "!!" + "a-" * n * 4,
    "backslashes": lambda n: "!!a.b x:'" + "\\" * n * 8,
    "escaped quotes": lambda n: "!!a.b x:'" + "\\'" * n * 4,
    "list of quotes": lambda n: "!!a.b x:" + "'a b'," * n,
    "list of quotes with blanks": lambda n: "!!a.b x:" + "'a b' , " * n,
    "list over lines": lambda n: "!!a.b x:a\n" + "  ,'b c'\n" * n,
    "commas": lambda n: "!!a.b x:" + "," * n * 2,
    "colons": lambda n: "!!a.b " + ":" * n * 8,
    "keys with blanks": lambda n: "!!a.b " + "a :" * n,
    "blanks": lambda n: "!!a.b x" + " " * n * 8 + ":1",
    "open brackets": lambda n: "!!a.b x:" + "[1," * n,
    "brackets with quotes": lambda n: "!!a.b x:" + '["a",' * n,
    "brackets with open quotes": lambda n: "!!a.b " + 'x:[" ' * n,
    "brackets with escapes": lambda n: "!!a.b x:" + '["\\",' * n,
    "ten thousand nested markers": lambda n: "!!a.b\n" + "  x:'''\n" * n,
    "nested actions in a value": lambda n: "!!a.b\n  x:'\n" + "    !!a.b y:'\n" * n,
    "open html comments": lambda n: "!!a.b\n" + "  <!-- x\n" * n,
    "comment signs": lambda n: "!!a.b\n" + "  //<!--//\n" * n,
    "comments parted by blank lines": lambda n: "!!a.b x:\n" + "  // x\n\n  <!-- y -->\n" * n,
    "comments after html comments": lambda n: "!!a.b x:\n" + "  <!-- y --> // x\n" * n,
    "slashes": lambda n: "!!a.b " + "/" * n * 8,
    "line ends": lambda n: "\r" * n * 4,
    "tabs": lambda n: "\t" * n * 4 + "!!a.b",
    "br markers": lambda n: "!!a.b x:'" + "<<BR>>" * n + "'",
    "marks": lambda n: "!" * n * 8,
    "comments": lambda n: "// x\n" * n,
    "prose": lambda n: "some prose\n" * n,
}


def best_s(run: Callable[[str], object], text: str, runs: int) -> float:
    best = float("inf")
    for _ in range(runs):
        # The processor time of this thread, without garbage collection, so that only the text matters.
        gc.collect()
        gc.disable()
        start = time.thread_time()
        with suppress(HeroScriptError):
            run(text)
        best = min(best, time.thread_time() - start)
        gc.enable()
    return best


def assert_linear(run: Callable[[str], object], make: Callable[[int], str], size: int) -> None:
    # One run each is enough for a good ratio. A bad one is repeated with more runs, because other programs on the
    # machine can still spoil it through the caches.
    for runs in (1, 3, 3, 5):
        small, big = best_s(run, make(size), runs), best_s(run, make(size * 4), runs)
        if big <= NOISE_S or big / small < BOUND:
            return
    raise AssertionError(f"4 times the text took {big / small:.1f} times the time ({small:.4f} s, {big:.4f} s)")


@pytest.mark.parametrize("name", TEXTS)
def test_parsing_is_linear_in_the_length_of_the_text(name: str) -> None:
    # Large enough to reveal the copying of a growing text.
    assert_linear(Playbook.parse, TEXTS[name], 25_000)


@pytest.mark.parametrize("name", TEXTS)
def test_parsing_a_block_is_linear_in_the_length_of_the_text(name: str) -> None:
    assert_linear(Params.parse, lambda n: TEXTS[name](n).removeprefix("!!a.b "), 4000)


@pytest.mark.parametrize(
    "name",
    [
        "tidy",
        "commented",
        "many keys",
        "tabbed keys",
        "one key again and again",
        "ten thousand nested markers",
        "list of quotes",
    ],
)
def test_checking_formatting_and_exporting_are_linear_too(name: str) -> None:
    for run in (check_script, format_script, lambda text: Playbook.parse(text).heroscript()):
        assert_linear(run, TEXTS[name], 3000)


def test_finding_and_sorting_are_linear_in_the_number_of_actions() -> None:
    def run(text: str) -> None:
        playbook = Playbook.parse(text)
        playbook.find("v*m.d*e")
        playbook.filtersort({1: "vm.*", 2: "disk.*"})
        playbook.hashkey()

    assert_linear(run, TEXTS["tidy"], 8000)
