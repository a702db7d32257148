"""The command `doctor`: looks at everything that commonly goes wrong, and says what to do about it."""

from __future__ import annotations

import dataclasses
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hero_ctl.connect import STATE_DIR, store_url
from hero_ctl.options import Json, StoreOptions
from hero_job.client.store import Store
from hero_job.model.errors import StoreUrlInvalid
from hero_job.operations.operations import Operations

if TYPE_CHECKING:
    from hero_ctl.commands.checks import Finding

EPILOG = "Exit codes: 0 no problems, maybe warnings; 1 there are problems; 2 wrong usage."
#: Where `scripts/run` and the systemd units look for the config.
_CONFIGS = (Path("config/hero.toml"), Path("hero.toml"))
#: By `Level`.
_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            show_default="config/hero.toml or hero.toml, if one exists",
            help="Config file of the service.",
        ),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, metavar="N", help="Read at most this many jobs.")] = 100_000,
    delete_damaged: Annotated[
        bool,
        typer.Option("--delete-damaged", help="Delete actors, schedules, keys and batches that cannot be read."),
    ] = False,
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """Check config, store, jobs, actors, sockets and this machine, and say how to solve each problem.

    Without --redis-url and --namespace the command checks the store of the config.
    """
    # The checks import pydantic, which costs 0.1 s; no other command should pay for it.
    from hero_ctl.commands.checks import (
        Finding,
        Level,
        check_config,
        check_host,
        check_jobs,
        check_records,
        check_rights,
        check_rpc,
        check_store,
    )
    from hero_ctl.commands.store_checks import check_clock, check_store_files

    path = config or next((p for p in _CONFIGS if p.is_file()), None)
    settings, found = check_config(path)
    configured = settings.store.redis_url if settings else ""
    state_dir = Path(settings.embedded.dir) if settings else STATE_DIR
    namespace = store.given_namespace or (settings.store.namespace if settings else store.namespace)
    try:
        with Store(store_url(store.redis_url or configured, state_dir)) as opened:
            operations = Operations(namespace)
            found += check_store(opened, operations)
            if not any(finding.area == "store" and finding.level is Level.PROBLEM for finding in found):
                found += check_clock(opened, namespace)
                found += check_jobs(opened, operations, most)
                found += check_records(opened, operations, delete=delete_damaged)
    except StoreUrlInvalid as e:
        found.append(Finding.problem("store", str(e), "correct [store] redis_url"))
    if settings is not None:
        serves = any(finding.area == "store" and finding.level is Level.OK for finding in found)
        found += check_store_files(settings, serves=serves)
        found += chain(check_rights(settings), check_rpc(settings), check_host(settings))
    if as_json:
        from hero_ctl.json_views import to_json

        typer.echo(to_json([dataclasses.asdict(finding) for finding in found]))
    else:
        _print(found)
    if any(finding.level is Level.PROBLEM for finding in found):
        raise typer.Exit(1)


def _print(found: list[Finding]) -> None:
    for finding in found:
        typer.echo(f"{_MARKS[finding.level]}  {finding.area:<7} {finding.text}")
        if finding.cure:
            typer.echo(f"{'':17} -> {finding.cure}")
    problems = sum(finding.level == "problem" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    counted = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((problems, "problem"), (warnings, "warning"))]
    typer.echo(", ".join(counted))
