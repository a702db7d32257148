"""The commands that move a deployment to another store: export, import."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

from hero_ctl.connect.steps import open_store
from hero_ctl.connect.store import namespace_of, url_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import fail, print_note
from hero_ctl.parameters import Argument, Option
from hero_job.client.store import Store
from hero_job.client.transfer import export_lines, import_lines

ExportFile = Annotated[str, Argument(metavar="FILE", help="Path of the file, or - for standard input or output.")]
StoreDir = Annotated[
    Path | None,
    Option(
        "--store-dir",
        metavar="FOLDER",
        help="Folder of an embedded store whose service is stopped; the store runs for this command only.",
    ),
]


def export(
    *,
    file: ExportFile,
    live: Annotated[
        bool, Option("--live", help="Export although actors run; jobs that change meanwhile may be missing.")
    ] = False,
    store_dir: StoreDir = None,
    store: StoreOptions,
) -> None:
    """Write all jobs, queues, schedules and results of a deployment to a file, for `heroctl import`.

    Stop the service first, so that nothing changes meanwhile. The file may hold secrets: only its owner can read it.
    """
    namespace = namespace_of(store)
    if store_dir is not None:
        _check_holds_store(store_dir)
    with _open_store(store, store_dir) as opened:
        lines = export_lines(opened, namespace, live=live)
        if file == "-":
            count = _write(lines, sys.stdout)
        else:
            # The file gets its name when it is complete, so an interrupted export is never taken for a whole one.
            part = Path(f"{file}.part")
            try:
                with _open_private(part) as out:
                    count = _write(lines, out)
                    out.flush()
                    os.fsync(out.fileno())
                part.replace(file)
            except OSError as e:
                fail(f"{file} cannot be written: {e.strerror or e}", CtlExitCode.USAGE)
            finally:
                part.unlink(missing_ok=True)
    print_note(f"exported the namespace {namespace}: {count - 2} lines; read them with `heroctl import {file}`")


def import_(
    *,
    file: ExportFile,
    store_dir: StoreDir = None,
    store: StoreOptions,
) -> None:
    """Read a file of `heroctl export` into an empty namespace.

    Start the service on it afterwards: it requeues the jobs that were running when the old service stopped.
    """
    namespace = namespace_of(store)
    with _open_store(store, store_dir) as opened:
        if file == "-":
            count = import_lines(opened, namespace, sys.stdin)
        else:
            try:
                with Path(file).open(encoding="utf-8") as lines:
                    count = import_lines(opened, namespace, lines)
            except OSError as e:
                fail(f"{file} cannot be read: {e.strerror or e}", CtlExitCode.USAGE)
            except UnicodeDecodeError as e:
                fail(f"{file} is not an export: {e}", CtlExitCode.USAGE)
    print_note(f"imported {count} keys into the namespace {namespace}")


@contextlib.contextmanager
def _open_store(options: StoreOptions, store_dir: Path | None) -> Iterator[Store]:
    if store_dir is None:
        with open_store(options, url_of(options)) as store:
            yield store
        return
    from hero_supervisor.errors import EmbeddedStoreError
    from hero_supervisor.store.embedded import EmbeddedStore

    try:
        with EmbeddedStore(dir=store_dir) as embedded, Store(embedded.url) as store:
            yield store
    except EmbeddedStoreError as e:
        fail(str(e), CtlExitCode.STORE)
    finally:
        _give_back(store_dir)


def _check_holds_store(folder: Path) -> None:
    """Refuse a folder without data: an export of it would be a backup with nothing in it."""
    from hero_supervisor.store.data_files import DATA_FOLDER

    if folder.is_file() or (folder / DATA_FOLDER).is_dir():
        return
    inside = folder / "store"
    hint = f"; {inside} does" if (inside / DATA_FOLDER).is_dir() else ""
    fail(f"{folder} holds no data of a store{hint}", CtlExitCode.STORE)


def _give_back(folder: Path) -> None:
    """Let what root has written into the folder belong to its owner: the service could not use it otherwise."""
    if os.geteuid() != 0 or not folder.is_dir():
        return
    owner = folder.stat()
    for path in folder.rglob("*"):
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _open_private(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")


def _write(lines: Iterator[str], out: TextIO) -> int:
    count = 0
    for line in lines:
        out.write(line + "\n")
        count += 1
    return count
