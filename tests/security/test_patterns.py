"""No pattern of the project takes more than linear time, whatever text it is tried on.

The texts come from the pattern itself: for each of its repetitions, a text that repeats what it repeats and then ends
in something that does not match. CPU time is compared with that of a shorter text, so that no limit depends on the
machine.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import pkgutil
import re
import re._constants as ops  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from hero_config.model.settings import RpcSettings
from hero_job import Job
from hero_supervisor.rpc.auth.rights import Rights

PACKAGES = (
    "hero_job",
    "hero_process",
    "hero_actor",
    "hero_engine",
    "hero_config",
    "hero_client",
    "hero_supervisor",
    "hero_ctl",
)
#: Patterns whose texts are short for another reason.
BOUNDED = {
    "hero_job.model.reach._TICK": "a job id has at most 200 characters",
    "hero_config.layers.rust_supervisor._PASSWORD": "one URL that the operator wrote",
}
SHORT, LONG = 500, 4_000
# The shorter text is an eighth: linear work grows 8 times, quadratic work 64 times.
MOST = 24
#: Less CPU time than this cannot be compared. Quadratic work on the long text takes more on any machine.
LEAST_NS = 1_000_000


def patterns_of(package: str) -> dict[str, tuple[re.Pattern[Any], frozenset[str]]]:
    """All patterns that modules of a package hold, and the methods that are called on them."""
    found: dict[str, tuple[re.Pattern[Any], frozenset[str]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # modules that have moved
        root = importlib.import_module(package)
        names = [package, *(info.name for info in pkgutil.walk_packages(root.__path__, f"{package}."))]
        modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    for module in modules:
        for name, value in vars(module).items():
            values = value.values() if isinstance(value, dict) else [value]
            for one in values:
                bound = getattr(one, "__self__", None)
                if isinstance(bound, re.Pattern):
                    found[f"{module.__name__}.{name}"] = (bound, frozenset({one.__name__}))
                elif isinstance(one, re.Pattern):
                    found[f"{module.__name__}.{name}"] = (one, _methods_used(module, name))
    return found


def _methods_used(module: Any, name: str) -> frozenset[str]:
    called = set(re.findall(rf"\b{name}(?:\[\w+\])?\.(\w+)", inspect.getsource(module)))
    anchored = {"match", "fullmatch"}
    # sub, findall, split and finditer look for the pattern as search does. A module that imports a pattern has it under
    # its name, so one that is not called here is tried anchored.
    return frozenset((called & anchored) | ({"search"} if called - anchored else set())) or frozenset(anchored)


def sample_of(tree: Any) -> str:
    """A text that the parsed pattern matches, more or less."""
    text = ""
    for op, value in tree:
        if op is ops.LITERAL:
            text += chr(value)
        elif op is ops.NOT_LITERAL:
            text += "a" if value != ord("a") else "b"
        elif op is ops.ANY:
            text += "a"
        elif op is ops.IN:
            text += next(iter(chars_of(value)), "")
        elif op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            text += sample_of(value[2]) * max(1, min(value[0], 5))
        elif op in (ops.SUBPATTERN, ops.ATOMIC_GROUP):
            text += sample_of(value[3] if op is ops.SUBPATTERN else value)
        elif op is ops.BRANCH:
            text += sample_of(value[1][0])
    return text


def chars_of(items: Any) -> list[str]:
    """Some characters of a set."""
    every = [chr(code) for code in (*range(32, 127), 9, 10)]

    def is_in(char: str) -> bool:
        negated = inside = False
        for op, value in items:
            if op is ops.NEGATE:
                negated = True
            elif op is ops.LITERAL:
                inside |= ord(char) == value
            elif op is ops.RANGE:
                inside |= value[0] <= ord(char) <= value[1]
            elif op is ops.CATEGORY:
                inside |= re.fullmatch(_CATEGORY[value], char) is not None
        return inside != negated

    found = [char for char in every if is_in(char)]
    return [*dict.fromkeys([*found[:2], *(c for c in "aA0:/?@.= \n\"'\\-" if c in found), *found[-1:]])]


_CATEGORY = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}


def repeated_in(tree: Any) -> Iterator[str]:
    """What the repetitions of a parsed pattern repeat."""
    for op, value in tree:
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            if value[1] is ops.MAXREPEAT or value[1] > 50:
                yield sample_of(value[2])
                for inner_op, inner in value[2]:
                    if inner_op is ops.IN:
                        yield from chars_of(inner)
            yield from repeated_in(value[2])
        elif op is ops.SUBPATTERN:
            yield from repeated_in(value[3])
        elif op is ops.ATOMIC_GROUP:
            yield from repeated_in(value)
        elif op is ops.BRANCH:
            for branch in value[1]:
                yield sample_of(branch)
                yield from repeated_in(branch)
        elif op in (ops.ASSERT, ops.ASSERT_NOT):
            yield from repeated_in(value[1])


def slowest_growth(pattern: re.Pattern[Any], methods: frozenset[str]) -> tuple[float, str]:
    """How much more CPU time the longer text of an attack takes, and which attack it is."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    whole = sample_of(tree)
    repeats = {text for text in (*repeated_in(tree), whole, whole[:-1], whole[:1], whole[:3]) if text}
    worst = (0.0, "")
    for repeat in repeats:
        for before in {"", whole[: len(whole) // 2], whole[:3], whole[:-1]}:
            for after in ("\0", "~", "\n"):
                for method in methods:

                    def cpu_ns(
                        size: int, before: str = before, repeat: str = repeat, after: str = after, method: str = method
                    ) -> int:
                        text: Any = before + repeat * (size // len(repeat) + 1) + after
                        if isinstance(pattern.pattern, bytes):
                            text = text.encode("latin-1", "replace")
                        began_ns = time.thread_time_ns()
                        getattr(pattern, method)(text)
                        return time.thread_time_ns() - began_ns

                    if cpu_ns(LONG) < LEAST_NS:
                        continue
                    # Other work makes some measurements longer, and a slow pattern makes all of them longer.
                    for times in (3, 15):
                        longer, shorter = (min(cpu_ns(size) for _ in range(times)) for size in (LONG, SHORT))
                        growth = longer / max(1, shorter)
                        if growth <= MOST:
                            break
                    worst = max(worst, (growth, f"{method} of {before!r} + {repeat!r} * n + {after!r}"))
    return worst


def test_the_attacks_find_a_quadratic_pattern() -> None:
    growth, _ = slowest_growth(re.compile(r"a+b"), frozenset({"search"}))

    assert growth > MOST


@pytest.mark.parametrize("package", PACKAGES)
def test_every_pattern_takes_linear_time(package: str) -> None:
    found = patterns_of(package)

    growths = {name: slowest_growth(*found[name]) for name in found.keys() - BOUNDED.keys()}

    assert found.keys() >= {name for name in BOUNDED if name.startswith(f"{package}.")}
    assert [(name, growth) for name, growth in growths.items() if growth[0] > MOST] == []


@pytest.mark.parametrize("pattern", ["*-eu-*-prod", "*a*a*a*a*b", "*?*?*?x", "a*" * 20, "[" * 9 + "*]*[*"])
def test_patterns_of_rights_and_of_what_is_allowed_take_linear_time(pattern: str) -> None:
    right = {"context_id": pattern, "callers": [pattern]}
    rights = Rights(RpcSettings.model_validate({"rights": [right], "require_signatures": [pattern]}))
    compiled = [rights._signed_contexts, rights._rights[0]._context, rights._rights[0]._callers]

    for one in (*compiled, re.compile(fnmatch.translate(pattern))):
        growth, attack = slowest_growth(one, frozenset({"fullmatch", "match"}))
        assert growth < MOST, attack


@pytest.mark.parametrize(
    ("pattern", "context_id", "matches"),
    [
        ("*", "any\nthing", True),
        ("site-?", "site-1", True),
        ("site-?", "site-12", False),
        ("*-eu-*-prod", "a-eu-b-eu-c-prod", True),
        ("*-eu-*-prod", "-eu-prod", False),
        ("[ab]*", "[ab]c", True),
        ("[ab]*", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_means_what_the_documentation_says(pattern: str, context_id: str, matches: bool) -> None:
    rights = Rights(RpcSettings.model_validate({"require_signatures": [pattern]}))

    job = Job(id="j", caller_id="c", context_id=context_id, script="1", script_type="sal")  # type: ignore[arg-type]
    assert rights.must_be_signed(job) is matches
