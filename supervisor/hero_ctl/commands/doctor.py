"""`heroctl doctor`: looks at everything that usually is wrong, and says what to do."""

from __future__ import annotations

import dataclasses
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from hero_ctl import options
from hero_ctl.commands.checks import Finding, Level, check_config, check_host, check_jobs, check_rpc, check_store
from hero_ctl.connect import STATE_DIR, store_url
from hero_job.client.store import Store
from hero_job.model.errors import StoreUrlInvalid
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import DEFAULT_NAMESPACE

#: Where `scripts/run` and the units look.
_CONFIGS = (Path("config/hero.toml"), Path("hero.toml"))
_MARKS = {Level.OK: "ok     ", Level.WARNING: "warning", Level.PROBLEM: "PROBLEM"}

app = typer.Typer()


@app.command(epilog="Exit codes: 0 nothing is wrong but for warnings, 1 there are problems, 2 bad usage.")
def doctor(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", show_default="config/hero.toml or hero.toml, if there is one",
            help="The config of the service.",
        ),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, metavar="N", help="Look at so many jobs at most.")] = 100_000,
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", envvar="HERO_NAMESPACE", metavar="NAME", show_default="that of the config"),
    ] = None,
) -> None:  # fmt: skip
    """Check config, store, jobs, actors, sockets and this machine; name each problem with its cure."""
    path = config or next((p for p in _CONFIGS if p.is_file()), None)
    settings, found = check_config(path)
    configured = settings.store.redis_url if settings else ""
    state_dir = Path(settings.embedded.dir) if settings else STATE_DIR
    name = namespace or (settings.store.namespace if settings else DEFAULT_NAMESPACE)
    try:
        with Store(store_url(redis_url or configured, state_dir)) as store:
            operations = Operations(name)
            found += check_store(store, operations)
            if not any(finding.area == "store" and finding.level is Level.PROBLEM for finding in found):
                found += check_jobs(store, operations, most)
    except StoreUrlInvalid as e:
        found.append(Finding(area="store", level=Level.PROBLEM, text=str(e), cure="correct [store] redis_url"))
    if settings is not None:
        found += chain(check_rpc(settings), check_host(settings))
    if as_json:
        from hero_ctl.tables import to_json

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
    problems = sum(finding.level is Level.PROBLEM for finding in found)
    warnings = sum(finding.level is Level.WARNING for finding in found)
    typer.echo(f"{problems} problems, {warnings} warnings")
