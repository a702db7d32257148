"""`heroctl batch list`. The listing of all formats is in tests/ctl/output/test_every_listing.py."""

from __future__ import annotations

import json

from hero_client import SupervisorBuilder
from hero_job import JobBuilder
from hero_job.protocol.op import Op
from tests.ctl.conftest import Heroctl
from tests.deployment import Deployment

#: Nobody else's batches are there.
NAMESPACE = "batches-of-this-test"


def test_batches_are_listed_newest_first_with_their_counts(heroctl: Heroctl, deployment: Deployment) -> None:
    empty = heroctl("batch", "list", "--namespace", NAMESPACE)
    with SupervisorBuilder().redis_url(deployment.url).namespace(NAMESPACE).build() as supervisor:
        for name, size in (("january", 1), ("february", 2), ("march", 3)):
            jobs = [JobBuilder().caller_id("me").context_id("c").script_type("sal").script("1") for _ in range(size)]
            supervisor.create_jobs([job.build() for job in jobs], start=False, batch_id=name)
        keys = supervisor.operations.keys
        for began_ms, name in enumerate(("january", "february", "march"), 1000):
            supervisor.store.run(Op(("ZADD", keys.batches, began_ms, name), int))
        supervisor.store.run(Op(("HSET", keys.batch("february"), "open", "many"), int))

    whole = heroctl("batch", "list", "--namespace", NAMESPACE)
    newest = heroctl("batch", "list", "--namespace", NAMESPACE, "--limit", "1", "-o", "json")

    assert (empty.returncode, empty.stdout) == (0, "no batches\n"), empty.stderr
    head, *rows = whole.stdout.splitlines()
    assert head.split() == ["BATCH", "BEGAN", "(UTC)", "CALLER", "JOBS", "OPEN", "FINISHED", "ERROR", "STOPPED"]
    assert [row.split() for row in rows] == [
        ["march", "1970-01-01", "00:00:01", "3", "3", "0", "0", "0"],
        ["january", "1970-01-01", "00:00:01", "1", "1", "0", "0", "0"],
    ]
    assert "february" in whole.stderr, "its counts cannot be read, and the others are listed"
    assert "--limit" not in whole.stderr
    assert [row["batch_id"] for row in json.loads(newest.stdout)["items"]] == ["march"]
    assert "--limit shows more" in newest.stderr
