"""Which jobs a command acts on: ids, ids from standard input, or all that match a filter.

Invariant: every filter of `heroctl` goes through `select_jobs`, so that how jobs are found can change in one place.
"""

from __future__ import annotations

import heapq
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from hero_config.model.durations import parse_duration
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import live
from hero_ctl.output.console import confirm, echo, fail, print_note
from hero_ctl.output.error_messages import explain
from hero_ctl.output.visible import visible
from hero_ctl.parameters import Argument, Option
from hero_job.model.errors import HeroJobError, StoreUnavailable
from hero_job.model.job import ScriptType
from hero_job.model.overview.pages import ListPage
from hero_job.model.status import JobStatus

if TYPE_CHECKING:
    from hero_client import Supervisor
    from hero_job.model.overview.pages import SearchPage
    from hero_job.model.views import JobPage, JobRecord

_PAGE: Final = 500
_PANEL: Final = "Which jobs"
#: Ids that a question shows.
_SHOWN: Final = 5

JobIds = Annotated[
    list[str] | None,
    Argument(
        metavar="[JOB_ID]...",
        help="Jobs; - reads ids from standard input.",
        show_default=False,
        autocompletion=live("job_ids"),
    ),
]
All = Annotated[bool, Option("--all", help="All jobs that match the filters instead.", rich_help_panel=_PANEL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions:
    """Which jobs are meant; an option that is not given matches all."""

    status: Annotated[
        list[JobStatus] | None,
        Option("--status", case_sensitive=False, help="In this status; may be repeated.", rich_help_panel=_PANEL),
    ] = None
    script_type: Annotated[
        list[ScriptType] | None,
        Option("--type", "-t", case_sensitive=False, help="Of this type; may be repeated.", rich_help_panel=_PANEL),
    ] = None
    caller: Annotated[str | None, Option("--caller", metavar="ID", help="Of this caller.", rich_help_panel=_PANEL)] = (
        None
    )
    context: Annotated[
        str | None, Option("--context", metavar="ID", help="In this context.", rich_help_panel=_PANEL)
    ] = None
    batch: Annotated[str | None, Option("--batch", metavar="ID", help="Of this batch.", rich_help_panel=_PANEL)] = None
    kind: Annotated[
        str | None,
        Option("--kind", metavar="KIND", help="With this kind of error.", rich_help_panel=_PANEL),
    ] = None
    since: Annotated[
        str | None,
        Option("--since", metavar="TIME", help="Created since: 2h ago, or an ISO 8601 time.", rich_help_panel=_PANEL),
    ] = None
    until: Annotated[
        str | None,
        Option("--until", metavar="TIME", help="Created before: as --since.", rich_help_panel=_PANEL),
    ] = None
    grep: Annotated[
        str | None,
        Option("--grep", metavar="REGEX", help="Whose id, script, output or error matches.", rich_help_panel=_PANEL),
    ] = None

    @property
    def is_empty(self) -> bool:
        """Whether all jobs match."""
        return not any(getattr(self, name) for name in self.__dataclass_fields__)

    def matcher(self) -> Callable[[JobRecord], bool]:
        """Make the function that tells whether a job matches. End the command if a filter is not valid."""
        since, until = moment(self.since, "--since"), moment(self.until, "--until")
        try:
            pattern = re.compile(self.grep) if self.grep else None
        except re.error as e:
            fail(f"--grep: {e}", CtlExitCode.USAGE)
        exact = {
            "caller_id": self.caller,
            "context_id": self.context,
            "batch": self.batch,
        }

        def matches(record: JobRecord) -> bool:
            job = record.job
            if self.status and record.status not in self.status:
                return False
            if self.script_type and job.script_type not in self.script_type:
                return False
            if any(value is not None and getattr(job, name) != value for name, value in exact.items()):
                return False
            if self.kind is not None and record.error_kind != self.kind:
                return False
            created = (record.created_at or "")[:19]
            if (since and created < since) or (until and created >= until):
                return False
            texts = (job.id, job.script, record.output or "", record.error or "")
            return pattern is None or any(pattern.search(text) for text in texts)

        return matches


def moment(text: str | None, option: str) -> str:
    """Read a time: a duration before now, or ISO 8601; "" for none. The result compares as text, in UTC."""
    if text is None:
        return ""
    try:
        at = datetime.fromtimestamp(time.time() - parse_duration(text), UTC)
    except (OverflowError, ValueError, OSError):
        try:
            given = datetime.fromisoformat(text)
            at = (given.replace(tzinfo=UTC) if given.tzinfo is None else given).astimezone(UTC)
        except ValueError:
            fail(f"{option}: '{text}' is neither a duration (2h) nor a time (2027-01-31T06:00Z)", CtlExitCode.USAGE)
    return at.isoformat()[:19]


def select_jobs(
    supervisor: Supervisor, filters: FilterOptions, limit: int = 0
) -> tuple[list[JobRecord], dict[str, str]]:
    """Find jobs.

    Args:
        supervisor: The API.
        filters: Which jobs.
        limit: Most jobs, the newest ones; 0 for all.

    Returns:
        The jobs, newest first; and the jobs that cannot be read, each with the reason.
    """
    matches = filters.matcher()
    newest: dict[str, JobRecord] = {}
    damaged: dict[str, str] = {}
    for page in _pages(supervisor, limit):
        newest.update({record.job.id: record for record in page.records if matches(record)})
        damaged.update(page.damaged)
        if limit and len(newest) > 4 * limit + 1000:
            newest = {r.job.id: r for r in heapq.nlargest(limit, newest.values(), key=_age)}
            if isinstance(page, ListPage):
                break
    return heapq.nlargest(limit or len(newest), newest.values(), key=_age), damaged


def _pages(supervisor: Supervisor, limit: int) -> Iterator[ListPage | SearchPage | JobPage]:
    """Read jobs: with a limit from the lists, the newest move first, and then what no list has.

    The search looks at all keys of the store, so it may repeat a job.
    """
    read: list[Callable[[str], ListPage | SearchPage | JobPage]] = []
    if limit:
        read.append(lambda cursor: supervisor.list_jobs(cursor, _PAGE))
    read.append(supervisor.search_jobs)
    for look in read:
        cursor = ""
        while True:
            page = look(cursor)
            yield page
            cursor = page.cursor
            if not cursor:
                break


def choose(
    supervisor: Supervisor,
    job_ids: Sequence[str] | None,
    filters: FilterOptions,
    *,
    all_: bool,
    verb: str,
    yes: bool,
    dry_run: bool,
    possible: frozenset[JobStatus],
    asks: bool = False,
) -> list[str]:
    """Decide which jobs a command changes, and ask. End the command if nothing is to be done.

    Args:
        supervisor: The API.
        job_ids: As given.
        filters: As given; for `--all` at least one.
        all_: All that match.
        verb: What is done to them, for the question: "Stop".
        yes: Do not ask.
        dry_run: Print the ids and end the command.
        possible: With `--all`, only jobs in these statuses.
        asks: Also ask about ids that were named, on a terminal.

    Returns:
        Ids.
    """
    if bool(job_ids) == all_:
        fail("name jobs by their ids, or give --all with a filter", CtlExitCode.USAGE)
    if job_ids and not filters.is_empty:
        fail("filters need --all; without it, give ids only", CtlExitCode.USAGE)
    if all_ and filters.is_empty:
        fail("--all needs a filter, such as --status error or --since 1h", CtlExitCode.USAGE)
    if all_:
        found, _ = select_jobs(supervisor, filters)
        ids = [record.job.id for record in found if record.status in possible]
    else:
        ids = read_ids(job_ids or ())
    if dry_run:
        for job_id in ids:
            echo(visible(job_id) if sys.stdout.isatty() else job_id)
        print_note(f"{len(ids)} jobs; without --dry-run: {verb.lower()}")
        raise SystemExit
    if not ids:
        print_note("no job matches; nothing was changed")
        raise SystemExit
    if not yes and (all_ or (asks and sys.stdin.isatty() and "-" not in (job_ids or ()))):
        more = ", ..." if len(ids) > _SHOWN else ""
        confirm(f"{verb} {len(ids)} jobs ({', '.join(ids[:_SHOWN])}{more})?")
    return ids


def read_ids(given: Sequence[str]) -> list[str]:
    """Read ids; `-` stands for those on standard input, one a line or separated by spaces."""
    ids: list[str] = []
    for word in given:
        ids += sys.stdin.read().split() if word == "-" else [word]
    return list(dict.fromkeys(ids))


def each(ids: Sequence[str], act: Callable[[str], str]) -> None:
    """Act on each job, and end the command with the code of the first failure, if there is one.

    Args:
        ids: The jobs.
        act: Acts on one, and returns what is printed: "" for nothing.
    """
    code = CtlExitCode.FINISHED
    for job_id in ids:
        try:
            said = act(job_id)
        except StoreUnavailable:
            raise
        except HeroJobError as e:
            if len(ids) == 1:
                raise
            message = explain(e)
            print_note(message.text, prefix="")
            code = code or message.code
        else:
            if said:
                echo(said if len(ids) == 1 else visible(f"{job_id}  {said}"))
    if code:
        raise SystemExit(code)


def _age(record: JobRecord) -> tuple[str, str]:
    return (record.created_at or "", record.job.id)
