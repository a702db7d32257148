"""The methods that act on many jobs in the background, and the record of what was changed by whom.

Invariants: an empty filter is refused; an act goes on when its client has gone; how far it is can be asked of every
supervisor.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import orjson
from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import HeroJobError, JobInvalid, StoreError
from hero_job.model.overview.acts import ActKind, ActState, AuditEntry, BulkAct
from hero_job.model.overview.selection import JobSelection
from hero_job.model.views import JobRecord
from hero_job.operations.flow import chunks
from hero_job.operations.overview.acts import ACT_PAGE, Acts, applies, first_problems
from hero_job.operations.overview.lists import search_jobs
from hero_job.protocol.op import Op, as_is
from hero_supervisor.rpc.methods.overview.selection_params import JobFilterParams, selection_of
from hero_supervisor.rpc.methods.results import time_text
from hero_supervisor.rpc.methods.shapes import DamagedJob, JobIds, LogCursor
from hero_supervisor.rpc.methods.view import view_of
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.protocol.wire import ErrorCode

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Acts that one supervisor works on simultaneously.
MAX_ACTS: Final = 10
#: An act that has told nothing for so long has lost its supervisor.
SILENT_S: Final = 60.0
#: How often an act asks a store again that does not answer, once a second.
STORE_TRIES: Final = 30

_Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why; it is recorded.")]

_ActId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        max_length=64,
        description="Id of an act. If you choose it, the same act sent again is one act.",
    ),
]

log = logging.getLogger(__name__)


class ActView(TypedDict):
    """An act on many jobs: ``walked`` of ``total`` ids or keys were looked at; ``problems`` has the first refusals."""

    act_id: str
    kind: str
    reason: str
    who: str
    state: str
    done: int
    refused: int
    problems: list[DamagedJob]
    walked: int
    total: int
    started_at: str
    updated_at: str


class AuditView(TypedDict):
    """Somebody has changed something; ``params`` is JSON without secrets and scripts."""

    cursor: str
    at: str
    who: str
    scope: str
    by: str
    peer: str
    method: str
    params: str
    outcome: str


class AuditLog(TypedDict):
    """Entries of the record of changes, the oldest first, and the cursor to continue with."""

    entries: list[AuditView]
    cursor: str


class ActNames(Protocol):
    """In whose name a request acts; see `rpc.auth.act_session`."""

    def who(self) -> str:
        """The name of the current connection."""

    def owner(self) -> str | None:
        """The only caller whose jobs it may change; None for those of all."""

    def within_reach(self, wanted: JobSelection) -> JobSelection:
        """Return the selection without the jobs of others."""


class ActMethods:
    """The methods that act on many jobs.

    Args:
        supervisor: Whose jobs.
        names: In whose name a request acts.
    """

    def __init__(self, supervisor: AsyncSupervisor, names: ActNames) -> None:
        self._store = supervisor.store
        self._operations = supervisor.operations
        self._acts = Acts(supervisor.operations)
        self._names = names
        self._running: set[asyncio.Task[None]] = set()

    async def stop_jobs(
        self,
        reason: _Reason,
        job_ids: JobIds | None = None,
        filter: JobFilterParams | None = None,
        act_id: _ActId | None = None,
    ) -> ActView:
        """Stop many jobs in the background, by their ids or by a filter; get_act tells how far this is."""
        return await self._begin(ActKind.STOP, reason, job_ids, filter, act_id)

    async def retry_jobs(
        self,
        reason: _Reason,
        job_ids: JobIds | None = None,
        filter: JobFilterParams | None = None,
        act_id: _ActId | None = None,
    ) -> ActView:
        """Run many jobs again that ended in error or were stopped, in the background, by their ids or by a filter."""
        return await self._begin(ActKind.RETRY, reason, job_ids, filter, act_id)

    async def delete_jobs(
        self,
        reason: _Reason,
        job_ids: JobIds | None = None,
        filter: JobFilterParams | None = None,
        act_id: _ActId | None = None,
    ) -> ActView:
        """Delete many jobs in the background, by their ids or by a filter; running jobs are refused."""
        return await self._begin(ActKind.DELETE, reason, job_ids, filter, act_id)

    async def get_act(self, act_id: _ActId) -> ActView:
        """Say how far an act on many jobs is: `running`, `done`, `failed`, or `interrupted` with its supervisor."""
        act = await self._store.run(self._acts.get(act_id))
        if act.state is ActState.RUNNING and await self._now_ms() - act.updated_ms > SILENT_S * 1000:
            act = dataclasses.replace(act, state=ActState.INTERRUPTED)
        return act_view(act)

    async def get_audit(self, after: LogCursor = "", count: Annotated[int, Field(ge=1, le=10_000)] = 100) -> AuditLog:
        """Return who has changed what through JSON-RPC, the oldest entry first; follow it by the topic `audit`."""
        entries = await self._store.run(self._acts.entries(after, count))
        return {"entries": [audit_view(e) for e in entries], "cursor": entries[-1].cursor if entries else after}

    async def _begin(
        self,
        kind: ActKind,
        reason: str,
        job_ids: Sequence[str] | None,
        given: JobFilterParams | None,
        act_id: str | None,
    ) -> ActView:
        if (job_ids is None) == (given is None):
            raise JobInvalid("job_ids", "give either job_ids or a filter")
        wanted = selection_of(**(given or {}))
        if job_ids is None and wanted.is_empty:
            raise JobInvalid("filter", "an empty filter would match all jobs; give at least one field")
        if job_ids is not None and not job_ids:
            raise JobInvalid("job_ids", "name at least one job")
        if len(self._running) >= MAX_ACTS:
            raise JobInvalid("reason", f"{MAX_ACTS} acts are running already; wait until one is done")
        wanted = self._names.within_reach(wanted)
        now_ms = await self._now_ms()
        act = BulkAct(
            act_id=act_id or uuid.uuid4().hex,
            kind=kind,
            reason=reason,
            who=self._names.who(),
            selects=orjson.dumps({"job_ids": len(job_ids)} if job_ids is not None else dict(given or {})).decode(),
            started_ms=now_ms,
            updated_ms=now_ms,
            total=len(job_ids or ()),
        )
        if not await self._store.run(self._acts.begin(act)):
            return await self.get_act(act.act_id)
        if job_ids is not None:
            work = self._by_ids(act, list(dict.fromkeys(job_ids)), self._names.owner())
        else:
            work = self._by_filter(act, wanted, self._names.owner())
        task = asyncio.create_task(self._run(act, work), name=f"act {act.act_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return act_view(act)

    async def _run(self, act: BulkAct, work: Any) -> None:
        try:
            act = await work
            log.info("act.done", extra={"act": act.act_id, "kind": act.kind.value, "done": act.done, "who": act.who})
        except HeroJobError as e:
            # Its record still says `running`, and will be shown as interrupted.
            log.error("act.failed", extra={"act": act.act_id, "kind": act.kind.value, "error": str(e)})

    async def _by_ids(self, act: BulkAct, job_ids: Sequence[str], owner: str | None) -> BulkAct:
        for page in chunks(job_ids, ACT_PAGE):
            act = await self._do(act, page, owner)
            act = await self._tell(dataclasses.replace(act, walked=act.walked + len(page)))
        return await self._tell(dataclasses.replace(act, state=ActState.DONE))

    async def _by_filter(self, act: BulkAct, wanted: JobSelection, owner: str | None) -> BulkAct:
        began_at = time_text(act.started_ms)
        cursor, met = "", set[str]()
        while True:
            page = await self._again(search_jobs(self._operations, cursor, 2000, wanted))
            ids = [r.job.id for r in page.records if applies(act.kind, r.status) and _is_meant(act.kind, r, began_at)]
            # While a hash table grows or shrinks, SCAN gives some of its keys twice, mostly soon after each other.
            ids, met = [i for i in ids if i not in met], set(ids)
            for chunk in chunks(ids, ACT_PAGE):
                act = await self._do(act, chunk, owner)
            act = await self._tell(dataclasses.replace(act, walked=page.walked, total=max(page.total, page.walked)))
            cursor = page.cursor
            if not cursor:
                return await self._tell(dataclasses.replace(act, state=ActState.DONE, total=act.walked))

    async def _do(self, act: BulkAct, job_ids: Sequence[str], owner: str | None) -> BulkAct:
        began_at = time_text(act.started_ms)
        for attempt in range(STORE_TRIES):
            try:
                # Repeated after a lost answer: a job that was stopped or deleted before counts as done or as unknown.
                results = await self._store.drive(self._acts.do(act.kind, job_ids, owner, began_at))
                break
            except StoreError:
                if attempt == STORE_TRIES - 1:
                    raise
                await asyncio.sleep(1)
        return dataclasses.replace(
            act,
            done=act.done + sum(error is None for _, error in results),
            refused=act.refused + sum(error is not None for _, error in results),
            problems=first_problems(act.problems, results),
        )

    async def _tell(self, act: BulkAct) -> BulkAct:
        act = dataclasses.replace(act, updated_ms=await self._now_ms())
        await self._again(self._acts.put(act))
        return act

    async def _again(self, op: Op[Any]) -> Any:
        for attempt in range(STORE_TRIES):
            try:
                return await self._store.run(op)
            except StoreError:
                if attempt == STORE_TRIES - 1:
                    raise
                await asyncio.sleep(1)
        raise AssertionError  # the loop returns or raises

    async def _now_ms(self) -> int:
        seconds, microseconds = await self._again(Op(("TIME",), as_is))
        return int(seconds) * 1000 + int(microseconds) // 1000


def _is_meant(kind: ActKind, record: JobRecord, began_at: str) -> bool:
    """Whether a job matched when the act began: one that runs again and fails must not be retried for ever."""
    moved_at = record.updated_at if kind is ActKind.RETRY else record.created_at
    return moved_at is None or len(moved_at) != len(began_at) or moved_at <= began_at


def act_view(act: BulkAct) -> ActView:
    """Build the view of an act."""
    return view_of(
        ActView,
        act,
        kind=act.kind.value,
        state=act.state.value,
        problems=[{"id": job_id, "reason": text} for job_id, text in act.problems],
        started_at=time_text(act.started_ms),
        updated_at=time_text(act.updated_ms),
    )


def audit_view(entry: AuditEntry) -> AuditView:
    """Build the view of an entry of the record of changes."""
    return view_of(AuditView, entry, at=time_text(entry.at_ms))


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, names: ActNames) -> None:
    """Register the methods that act on many jobs, and the record of changes."""
    methods = ActMethods(supervisor, names)
    add = dispatcher.register
    add("stop_jobs", methods.stop_jobs, error_codes=(ErrorCode.FORBIDDEN, *STORE_CODES))
    add("retry_jobs", methods.retry_jobs, error_codes=(ErrorCode.FORBIDDEN, *STORE_CODES))
    add("delete_jobs", methods.delete_jobs, error_codes=(ErrorCode.FORBIDDEN, *STORE_CODES))
    add("get_act", methods.get_act, error_codes=STORE_CODES)
    add("get_audit", methods.get_audit, error_codes=STORE_CODES)
