"""No damaged input breaks a parser; see `run.py` for a longer search."""

from __future__ import annotations

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

#: Damaged inputs for each parser: the same in each run, so that only a change can make this test fail. `scripts/fuzz`
#: searches for others.
INPUTS = 20_000
#: Fewer of those that a slow parser reads.
SLOW = {"config": 2_000}
SEED = 1


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_input_breaks_a_promise(name: str) -> None:
    inputs = SLOW.get(name, INPUTS)

    assert fuzz(name, SEED, inputs=inputs) == inputs
