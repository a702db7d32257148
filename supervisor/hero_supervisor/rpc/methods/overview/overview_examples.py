"""The example calls of the methods by which operators look at a deployment; see ``examples.py``. Pure."""

from __future__ import annotations

from typing import Any, Final

from hero_job.model.overview.acts import ActKind, BulkAct
from hero_job.model.overview.attempts import read_attempts
from hero_job.model.overview.explanation import Explanation, WaitReason
from hero_job.model.overview.pages import ListPage
from hero_job.model.views import JobRecord
from hero_job.operations.overview.history import History
from hero_supervisor.rpc.methods.example import Example
from hero_supervisor.rpc.methods.overview import act_methods, explain_methods, history_methods, list_shapes

#: The act that the examples ask about.
ACT: Final = "tidy-up-1"


def build(record: JobRecord) -> dict[str, Example]:
    """Build the examples, by method.

    Args:
        record: The job that the examples show.
    """
    row = list_shapes.row_view(record)
    empty = ListPage(jobs=(), damaged=(), cursor="", looked_at=0)
    job_id = record.job.id
    act = act_methods.act_view(
        BulkAct(
            act_id=ACT, kind=ActKind.STOP, reason="wrong input", who="", selects="{}",
            started_ms=1_795_500_000_000, updated_ms=1_795_500_000_000,
        )
    )  # fmt: skip
    ended = Explanation(
        job_id=job_id, status=record.status, reason=WaitReason.ENDED, text="It ended as finished.", queue="sal",
        owner=record.owner,
    )  # fmt: skip
    page: dict[str, Any] = {"cursor": "", "count": 50}
    # A deployment may have counted nothing yet; docs/rpc-overview.md shows one that has.
    told = History(
        now_s=1_795_500_090, resolution_s=60, starts_s=(1_795_500_000, 1_795_500_060), periods={}, totals={}
    )  # fmt: skip
    return {
        "get_history": Example({"span_s": 120, "script_type": "SAL"}, history_methods.history_view(told)),
        "list_waiting": Example({**page, "script_type": "SAL"}, list_shapes.waiting_view(empty)),
        "list_delayed": Example({**page, "filter": {"script_type": "SAL"}}, list_shapes.delayed_view(empty)),
        "list_blocked": Example(page, list_shapes.blocked_view(empty)),
        "list_active": Example(page, list_shapes.running_view(empty, {})),
        "stop_jobs": Example({"reason": "wrong input", "filter": {"batch": "batch-9"}}, act),
        "retry_jobs": Example({"reason": "the network is back", "job_ids": [job_id]}, {**act, "kind": "retry"}),
        "delete_jobs": Example(
            {"reason": "no longer needed", "filter": {"created_before": "2020-01-01T00:00:00Z", "status": "error"}},
            {**act, "kind": "delete"},
        ),
        "get_act": Example({"act_id": ACT}, act),
        "list_events": Example(
            {"topic": "jobs", "after": "", "count": 10}, {"events": [], "cursor": "", "more": False, "gap": False}
        ),
        "get_audit": Example({"after": "", "count": 10}, {"entries": [], "cursor": ""}),
        "explain_job": Example({"job_id": job_id}, explain_methods.explanation_view(ended, ended.text, [])),
        "get_job_attempts": Example(
            {"job_id": job_id}, [explain_methods.attempt_view(a) for a in read_attempts(record, None)]
        ),
        "search_jobs": Example(
            {"cursor": "", "count": 5_000, "filter": {"caller_id": record.job.caller_id, "text": "40 + 2"}},
            {"jobs": [row], "damaged": [], "cursor": "", "walked": 120, "total": 120},
        ),
    }
