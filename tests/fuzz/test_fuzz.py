"""No damaged input breaks a parser; see `run.py` for a longer search."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

SECONDS = 20.0


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_input_breaks_a_promise(name: str) -> None:
    seed = random.randrange(1 << 32)

    assert fuzz(name, SECONDS, seed) > 0, seed
