"""The scripts that the published crates carry pass with our functions, except those that cannot pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.published import CANNOT, CRATES, PublishedScript, Unreachable, scripts
from tests.acceptance.run import verdicts

#: Scripts that must not count as passed.
FAILING = {
    "throws": 'throw "no"',
    "is_false": "false",
    "counts": "3",
    "complains": 'print("✗ FAILED")',
    "odd": "let = 1",
}


def test_published_scripts_pass(tmp_path: Path) -> None:
    try:
        published = [script for crate in CRATES for script in scripts(crate)]
    except Unreachable as e:
        pytest.skip(str(e))
    for name, source in FAILING.items():
        (tmp_path / f"{name}.rhai").write_text(source)
    own = [PublishedScript("own", tmp_path / f"{name}.rhai") for name in FAILING]
    judged = list(verdicts([*published, *own]))

    assert all(verdict.failure and not verdict.expected for verdict in judged[-len(own) :])
    got = judged[: -len(own)]
    assert [str(verdict) for verdict in got if not verdict.expected] == []
    assert set(CANNOT) <= {verdict.name for verdict in got}
    assert {verdict.name.split("/")[0] for verdict in got} == set(CRATES)
