"""No argument of a script is a defect of a function: every function of every family, with unexpected values."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest

from hero_engine.engine import Limits, Script, Stopped, TimedOut
from hero_engine.host.catalogue import Catalogue
from hero_engine.host.definition import HostFunction
from hero_engine.rhai import RhaiEngine
from hero_engine.rights import ScriptRights

TEXTS = (
    "",
    " ",
    "/",
    ".",
    "..",
    "../..",
    "a\0b",
    "a\nb",
    "-rf",
    "~",
    "*",
    "[",
    "**/*",
    "\u202e",
    "x" * 5000,
    "0",
    "-1",
)
NUMBERS = (0, -1, 2**63 - 1, -(2**63))
OTHERS: tuple[object, ...] = (None, True, 1.5, float("inf"), [], [None], {}, {"a": {"b": 1}}, b"", b"\xff")
FUNCTIONS = [function for family in Catalogue().families() for function in family.functions]
#: They wait for as long as they are told.
WAITING = {"sleep"}


@pytest.fixture(scope="module")
def engine() -> RhaiEngine:
    """Everything that needs no other program or host is allowed."""
    engine = RhaiEngine()
    engine.give_rights(ScriptRights(jobs=True, store=True, secrets=("*",), run=("true",)))
    return engine


def arguments_of(function: HostFunction) -> Iterator[list[object]]:
    """Each value in the place of each parameter that takes its type, and all values in the first place."""
    fitting = []
    for parameter in function.parameters:
        every = (*TEXTS, *NUMBERS, *OTHERS)
        fits = [v for v in every if parameter.classes is None or type(v) in parameter.classes]
        fitting.append(fits or ["x"])
    for position, values in enumerate(fitting):
        for value in values:
            yield [value if n == position else others[0] for n, others in enumerate(fitting)]
    for value in itertools.chain(OTHERS, ["text"], [7]):
        yield [value, *(others[0] for others in fitting[1:])] if fitting else []


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: f"{function.family.name}-{function.name}")
def test_no_argument_is_a_defect(engine: RhaiEngine, function: HostFunction, caplog: pytest.LogCaptureFixture) -> None:
    if function.name in WAITING:
        return
    caplog.set_level(logging.ERROR)
    for values in arguments_of(function):
        names = [f"A{n}" for n in range(len(values))]
        outcome = engine.run(
            Script(source=f"try {{ {function.name}({', '.join(names)}) }} catch (e) {{ `caught ${{e}}` }}"),
            constants={"CALLER_ID": "a", "CONTEXT_ID": "b", "JOB_ID": "c", **dict(zip(names, values, strict=True))},
            limits=Limits(timeout_s=60),
            run=engine.new_run(),
        )
        assert not isinstance(outcome, TimedOut | Stopped), values
        assert "defect" not in str(outcome), (values, caplog.text)
    assert "function.defect" not in caplog.text
