"""The command `doctor`: looks at everything that commonly goes wrong, and says what to do about it."""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from hero_client.remote.errors import ServerUnusable, StoreNeeded
from hero_config.layers.places import PlacesUnreadable, find_config, find_places
from hero_ctl.connect.remote import find_server
from hero_ctl.connect.steps import open_store
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output.console import echo, print_note
from hero_ctl.output.visible import visible
from hero_ctl.output.widths import wrapped
from hero_ctl.parameters import Option
from hero_job.model.errors import JobInvalid, StoreUrlInvalid
from hero_job.operations.operations import Operations

if TYPE_CHECKING:
    from hero_ctl.commands.checkup.checks import Finding

EPILOG = "Exit codes: 0 no problems, maybe warnings; 1 there are problems; 2 wrong usage."
#: By `Level`.
_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    *,
    most: Annotated[int, Option("--most", min=1, metavar="N", help="Read at most this many jobs.")] = 100_000,
    delete_damaged: Annotated[
        bool,
        Option("--delete-damaged", help="Delete records other than jobs that cannot be read."),
    ] = False,
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """Check config, store, jobs, actors, sockets and this machine, and say how to solve each problem.

    It checks the service whose config `heroctl config where` names.
    """
    # The checks import pydantic, which costs 0.1 s; no other command should pay for it.
    from hero_ctl.commands.checkup.checks import (
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
    from hero_ctl.commands.checkup.service_checks import check_process_state, check_processes, check_queues
    from hero_ctl.commands.checkup.store_checks import check_clock, check_store_files

    if store.server or store.profile:
        raise StoreNeeded
    unused = _note_unused_profile(store)
    path, _ = find_config(store.config)
    settings, found = check_config(path)
    if unused:
        found.append(Finding.problem("profile", unused, "correct it, or remove it"))
    # A config that is wrong elsewhere may still name its store.
    places = None
    try:
        places = find_places(store.config)
        url = store.redis_url or places.store_url().value
        if not url:
            said, _, cure = places.missing_store().partition(": ")
            found.append(Finding.problem("store", said, cure))
        else:
            with open_store(store, url) as opened:
                operations = Operations(store.given_namespace or places.namespace.value)
                found += check_store(opened, operations)
                if not any(finding.area == "store" and finding.level is Level.PROBLEM for finding in found):
                    found += check_clock(opened, operations.keys.namespace)
                    found += check_jobs(opened, operations, most)
                    found += check_queues(opened, operations)
                    found += check_records(opened, operations, delete=delete_damaged)
    except (PlacesUnreadable, JobInvalid) as e:
        if settings is not None:  # otherwise check_config has said why
            found.append(Finding.problem("config", str(e), "correct the config"))
    except StoreUrlInvalid as e:
        found.append(Finding.problem("store", str(e), "correct [store] redis_url"))
    if settings is not None and places is not None:
        serves = any(finding.area == "store" and finding.level is Level.OK for finding in found)
        found += check_store_files(settings, places.folder, serves=serves)
        found += chain(check_rights(settings), check_rpc(settings, places), check_processes(places.socket.value))
        found += check_process_state(places.socket.value)
        found += check_host(settings, places.folder)
    if as_json:
        from hero_ctl.output.json_views import to_json

        echo(to_json([dataclasses.asdict(finding) for finding in found]))
    else:
        _print(found)
    if any(finding.level is Level.PROBLEM for finding in found):
        raise SystemExit(1)


def _note_unused_profile(store: StoreOptions) -> str:
    """Say that the profile that other commands use is not asked; return what is wrong with it, "" for nothing."""
    if store.redis_url:
        return ""
    try:
        server = find_server(None, None, {})
    except ServerUnusable as e:
        return str(e)
    if server is not None:
        print_note(f"the {server.origin} ({server.url}) is not used: doctor checks the service of this machine")
    return ""


def _print(found: list[Finding]) -> None:
    for finding in found:
        begin = f"{_MARKS[finding.level]}  {finding.area:<7} "
        echo(begin + wrapped(visible(finding.text), indent=len(begin), begin=len(begin)))
        if finding.cure:
            echo(f"{'':17} -> {wrapped(visible(finding.cure), indent=21, begin=21)}")
    problems = sum(finding.level == "problem" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    counted = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((problems, "problem"), (warnings, "warning"))]
    echo(", ".join(counted))
