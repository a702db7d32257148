"""The list of batches, the newest first.

It reads an index that is written when a batch begins, and the counts of the batches on the page. The client API, the
RPC and the web page use it. Invariant: a page costs two round trips, no matter how many batches there are.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hero_job.model.errors import HeroJobError, JobDamaged, JobInvalid, StoreRefused
from hero_job.model.fields.shown_values import shown
from hero_job.model.overview.pages import BatchPage, ListedBatch
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, pairs

#: Most batches of a page; their counts are read together.
MAX_BATCH_PAGE: Final = 500
# The millisecond in which the last batch of the page began, and how many that began in it were listed.
_CURSOR: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,9})", re.ASCII)
# What other programs have written with a time beyond this one, or with a negative one, counts as of the end.
_LAST_MS: Final = 10**14


def list_batches(operations: Operations, cursor: str = "", count: int = 100) -> Flow[BatchPage]:
    """Read one page of batches, the one that began last first.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most batches of the page, 1 to 500.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    if not 1 <= count <= MAX_BATCH_PAGE:
        raise JobInvalid("count", f"must be from 1 to {MAX_BATCH_PAGE}, not {shown(count)}")
    parsed = _CURSOR.fullmatch(cursor) if cursor else None
    if cursor and parsed is None:
        raise JobInvalid("cursor", f"must be the cursor of the last page, not {shown(cursor)}")
    before_ms, skip = (int(parsed[1]), int(parsed[2])) if parsed else (_LAST_MS, 0)
    # All of the millisecond, since other programs may have written fractions of it.
    before = "+inf" if before_ms >= _LAST_MS else f"({before_ms + 1}"
    key = operations.keys.batches
    index: Op[list[tuple[str, int]]] = Op(
        ("ZREVRANGEBYSCORE", key, before, "-inf", "WITHSCORES", "LIMIT", skip, count), _members
    )
    answers = yield [index]
    raise_first_error(answers)
    found: list[tuple[str, int]] = answers[0]
    rows = yield [_counts(operations, batch_id, began_ms) for batch_id, began_ms in found]
    batches: list[ListedBatch] = []
    damaged: list[tuple[str, str]] = []
    for (batch_id, _), row in zip(found, rows, strict=True):
        if isinstance(row, (JobDamaged, StoreRefused)):
            damaged.append((batch_id, str(row)))
        elif isinstance(row, HeroJobError):
            raise row
        elif row is not None:
            batches.append(row)
    following = ""
    if len(found) == count:
        last_ms = found[-1][1]
        listed = sum(1 for _, began_ms in found if began_ms == last_ms)
        following = f"{last_ms}.{listed + (skip if last_ms == before_ms else 0)}"
    return BatchPage(batches=tuple(batches), damaged=tuple(damaged), cursor=following)


def _members(answer: Any) -> list[tuple[str, int]]:
    flat = [part for entry in answer for part in (entry if isinstance(entry, list | tuple) else [entry])]
    # A score is infinite if somebody wrote it so.
    return [(str(m), int(max(0.0, min(float(s), _LAST_MS)))) for m, s in zip(flat[::2], flat[1::2], strict=True)]


def _counts(operations: Operations, batch_id: str, began_ms: int) -> Op[ListedBatch | None]:
    look = operations.batch(batch_id)

    def decode(answer: Any) -> ListedBatch | None:
        status = look.decode(answer)
        if status is None:
            return None
        return ListedBatch(status=status, began_ms=began_ms, caller_id=pairs(answer).get("caller_id"))

    return Op(look.args, decode, job_id=look.job_id)
