"""The command `stats`: what a deployment has counted, over a time or since it began."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from hero_ctl.connect.store import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import OutputOptions, StoreOptions, duration
from hero_ctl.output.console import fail
from hero_ctl.output.formats import Column, Listing, Row, print_rows
from hero_ctl.parameters import Option
from hero_job.model.job import ScriptType

if TYPE_CHECKING:
    from hero_job.model.overview.counters import Durations, JobCounts
    from hero_job.operations.overview.history import History

_Span = Annotated[
    float,
    Option(
        "--span", parser=duration, metavar="TIME", show_default="1h", help="How far back to go: 15m, 1d, up to 30d."
    ),
]
_By = Annotated[
    float | None,
    Option("--by", parser=duration, metavar="TIME", show_default="all of it", help="Tell it in periods: 1m, 5m, 1h."),
]
_Type = Annotated[
    ScriptType | None, Option("--type", case_sensitive=False, show_default="all", help="Only this script type.")
]
_Total = Annotated[bool, Option("--total", help="Everything since the deployment began.")]


def _median_and_most(of: str) -> Column:
    def text(row: Row) -> str:
        return "" if row[f"{of}_p50_s"] is None else f"{_short(row[f'{of}_p50_s'])} {_short(row[f'{of}_p95_s'])}"

    return Column(head=f"{of.upper()} p50 p95", of=text)


def _short(time_s: float) -> str:
    return f"{time_s * 1000:.0f}ms" if time_s < 1 else f"{time_s:.3g}s"


def _type(row: Row) -> str:
    """The script type as other tables write it."""
    suffix = str(row["script_type"])
    return next((one.value for one in ScriptType if one.suffix == suffix), suffix)


def _minute(row: Row, begin: int) -> str:
    return (row["from"] or "")[begin : len("2026-11-30T09:00")].replace("T", " ")


def _errors(row: Row) -> str:
    kinds = sorted(row["errors"].items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{kind} {count}" for kind, count in kinds)


_STATS = Listing(
    kind="stats",
    name="script_type",
    empty="nothing was counted in that time",
    columns=(
        Column(head="TYPE", of=_type),
        Column(
            head="FROM (UTC)",
            of=lambda row: _minute(row, 0),
            short=lambda row: _minute(row, len("2026-")),
            short_head="FROM",
        ),
        Column(head="STARTED", of=lambda row: str(row["started"])),
        Column(head="FINISHED", of=lambda row: str(row["finished"])),
        Column(head="FAILED", of=lambda row: str(row["failed"])),
        Column(head="STOPPED", of=lambda row: str(row["stopped"]), rank=3),
        Column(head="REPEATED", of=lambda row: str(row["retries"]), rank=2),
        Column(head="REDELIVERED", of=lambda row: str(row["redeliveries"]), wide=True),
        Column(head="LOST", of=lambda row: str(row["lost"]), rank=4),
        _median_and_most("wait"),
        _median_and_most("run"),
        Column(head="ERRORS", of=_errors, least=8, rank=1),
    ),
)


def stats(
    *,
    span: _Span = 3600.0,
    by: _By = None,
    script_type: _Type = None,
    total: _Total = False,
    output: OutputOptions,
    store: StoreOptions,
) -> None:
    """Show how many jobs started and ended, how long they waited and ran, and which errors there were."""
    if by is not None and total:
        fail("--total has no periods: leave --by out", CtlExitCode.USAGE)
    suffix = None if script_type is None else script_type.suffix
    with open_supervisor(store) as supervisor:
        found = supervisor.get_history(int(span), None if by is None else int(by), suffix)
    print_rows(_rows(found, total=total, by_period=by is not None), _STATS, output.format, bare=output.as_json)


def _rows(found: History, *, total: bool, by_period: bool) -> list[dict[str, Any]]:
    from hero_job.model.overview.counters import add_up

    if total:
        return [_row(suffix, None, counts) for suffix, counts in found.totals.items()]
    if not by_period:
        start_s = found.starts_s[0] if found.starts_s else None
        return [_row(suffix, start_s, add_up(periods)) for suffix, periods in found.periods.items()]
    return [
        _row(suffix, start_s, periods[n])
        for n, start_s in enumerate(found.starts_s)
        for suffix, periods in found.periods.items()
        if periods[n].counted
    ]


def _row(suffix: str, start_s: int | None, counts: JobCounts) -> dict[str, Any]:
    start = None if start_s is None else datetime.fromtimestamp(start_s, UTC).isoformat().replace("+00:00", "Z")
    return {
        "script_type": suffix,
        "from": start,
        "started": counts.started,
        "finished": counts.finished,
        "failed": counts.failed,
        "stopped": counts.stopped,
        "errors": dict(sorted(counts.errors.items())),
        "retries": counts.retries,
        "redeliveries": counts.redeliveries,
        "lost": counts.lost,
        **_times("wait", counts.wait),
        **_times("run", counts.run),
    }


def _times(name: str, taken: Durations) -> dict[str, float | None]:
    return {f"{name}_p50_s": taken.quantile_s(0.5), f"{name}_p95_s": taken.quantile_s(0.95)}
