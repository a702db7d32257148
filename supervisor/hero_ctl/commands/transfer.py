"""`heroctl export` and `import`: a deployment moves to another store."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from hero_ctl import options
from hero_ctl.connect import store_url
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import HELP, Exit
from hero_ctl.output import end, tell
from hero_job.client.store import Store
from hero_job.client.transfer import export_lines, import_lines
from hero_job.protocol.keys import DEFAULT_NAMESPACE
from hero_supervisor.errors import EmbeddedStoreError
from hero_supervisor.store.embedded import EmbeddedStore

app = typer.Typer()

ExportFile = Annotated[str, typer.Argument(metavar="FILE", help="The file; - for standard input or output.")]
StoreDir = Annotated[
    Path | None,
    typer.Option(
        "--store-dir",
        metavar="FOLDER",
        help="The folder of an embedded store whose service is stopped; it is started for this command alone.",
    ),
]


@app.command("export", epilog=HELP)
def export(
    *,
    file: ExportFile,
    live: Annotated[
        bool, typer.Option("--live", help="Also while actors run; jobs that move meanwhile may be missed.")
    ] = False,
    store_dir: StoreDir = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Write all jobs, queues, schedules and results of a deployment to a file, for `heroctl import`.

    Stop the service first, so that nothing moves. The file may hold secrets: only its owner can read it.
    """
    with _store(redis_url, store_dir) as store:
        lines = export_lines(store, namespace, live=live)
        if file == "-":
            count = _write(lines, sys.stdout)
        else:
            # Under its name only when it is whole.
            part = Path(f"{file}.part")
            try:
                with _private(part) as out:
                    count = _write(lines, out)
                    out.flush()
                    os.fsync(out.fileno())
                part.replace(file)
            except OSError as e:
                end(Complaint(text=f"heroctl: {file} cannot be written: {e.strerror or e}", exit=Exit.USAGE))
            finally:
                part.unlink(missing_ok=True)
    tell(f"exported the namespace {namespace}: {count - 2} lines; read them with `heroctl import {file}`")


@app.command("import", epilog=HELP)
def import_(
    *,
    file: ExportFile,
    store_dir: StoreDir = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Read what `heroctl export` wrote into an empty namespace.

    Start the service on it afterwards: its sweep hands back what was running when the old one was stopped.
    """
    with _store(redis_url, store_dir) as store:
        if file == "-":
            count = import_lines(store, namespace, sys.stdin)
        else:
            try:
                with Path(file).open(encoding="utf-8") as lines:
                    count = import_lines(store, namespace, lines)
            except OSError as e:
                end(Complaint(text=f"heroctl: {file} cannot be read: {e.strerror or e}", exit=Exit.USAGE))
            except UnicodeDecodeError as e:
                end(Complaint(text=f"heroctl: {file} is no export: {e}", exit=Exit.USAGE))
    tell(f"imported {count} keys into the namespace {namespace}")


@contextlib.contextmanager
def _store(redis_url: str | None, store_dir: Path | None) -> Iterator[Store]:
    if store_dir is None:
        with Store(store_url(redis_url)) as store:
            yield store
        return
    try:
        with EmbeddedStore(dir=store_dir) as embedded, Store(embedded.url) as store:
            yield store
    except EmbeddedStoreError as e:
        end(Complaint(text=f"heroctl: {e}", exit=Exit.STORE))


def _private(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")


def _write(lines: Iterator[str], out: TextIO) -> int:
    count = 0
    for line in lines:
        out.write(line + "\n")
        count += 1
    return count
