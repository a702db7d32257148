"""Searches for inputs that break a parser: `scripts/fuzz NAME [SECONDS] [SEED]`.

It damages inputs of `corpus/NAME` until the time is over. An input that breaks a promise is kept in `corpus/NAME` under
a name that begins with `found-`, so that the test tries it again from then on.
"""

from __future__ import annotations

import hashlib
import math
import random
import sys
import time
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def corpus_of(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def fuzz(name: str, seed: int, *, seconds: float = math.inf, inputs: float = math.inf) -> int:
    """Try damaged inputs; return how many.

    Args:
        name: Which parser.
        seed: The same seed gives the same inputs.
        seconds: How long, at most.
        inputs: How many, at most.

    Raises:
        AssertionError: An input breaks a promise; it is in the corpus now.
    """
    target, corpus, source = TARGETS[name], corpus_of(name), random.Random(seed)
    for data in corpus:
        target(data)
    tried, end_mono = 0, time.monotonic() + seconds
    while tried < inputs and time.monotonic() < end_mono:
        data = mutated(source, corpus)
        try:
            target(data)
        except Exception as e:
            kept = CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
            kept.write_bytes(data)
            raise AssertionError(f"{name}: {data!r:.300} breaks a promise; it is kept in {kept}") from e
        tried += 1
    return tried


if __name__ == "__main__":
    name, *rest = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(f"usage: scripts/fuzz NAME [SECONDS] [SEED]; names: {', '.join(TARGETS)}")
    seed = int(rest[1]) if rest[1:] else time.time_ns()
    print(fuzz(name, seed, seconds=float(rest[0]) if rest else 60), "inputs")
