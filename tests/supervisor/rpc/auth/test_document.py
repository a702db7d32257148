"""docs/security.md: its statements name tests that exist, and its examples are right."""

from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path

from hero_config.layers.load import load
from hero_job import Job
from hero_job.model.signing import signed_bytes
from tests.deployment import Deployment

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/security.md").read_text("utf-8")


def test_every_statement_names_a_test_that_exists() -> None:
    table = PAGE[PAGE.index("| statement | test |") :]
    rows = re.findall(r"^\| (.*) \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", table, re.MULTILINE)
    missing = [
        f"{path}::{name}"
        for _, path, name in rows
        if not re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    ]

    assert missing == []
    assert len(rows) == table.count("\n|") - 1  # all rows except the line below the head


def test_the_example_of_the_canonical_form_is_right() -> None:
    ((shown, digest),) = re.findall(r"signed  # b'(\{.*\})'\n.*hexdigest\(\)  # '([0-9a-f]{64})'", PAGE)
    job = Job.from_fields(
        {"id": "j1", "caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal", "timeout": 30}
    )

    assert signed_bytes(job).decode() == shown
    assert hashlib.sha256(shown.encode()).hexdigest() == digest


def test_the_examples_of_configuration_are_accepted(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        path = tmp_path / "hero.toml"
        path.write_text(block.replace('sha256 = "..."', f'sha256 = "{"0" * 64}"'))

        assert load(path, environ={}).rpc


def test_only_its_user_may_open_the_socket_of_the_embedded_store(deployment: Deployment) -> None:
    mode = (deployment.folder / "store/valkey.sock").stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert mode & (stat.S_IRWXG | stat.S_IRWXO) == 0
