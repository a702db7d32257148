"""The commands osis export and osis import: objects as lines of JSON.

Invariant: an import checks every object with its schema before it writes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

from hero_ctl.commands.osis.shared import ContextId, Schemas, all_sids, operator, read_types, short_name
from hero_ctl.connect.store import namespace_of, open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import fail, print_note
from hero_ctl.parameters import Argument, Option
from hero_job.model.objects.errors import ObjectChanged, ObjectError
from hero_job.operations.objects.objects import Objects

#: The supervisor bounds objects by its config; an import takes what any config may allow.
_MAX_BYTES: Final = 64 << 20


def export(
    *,
    file: Annotated[str, Argument(metavar="FILE", help="Path of the file, or - for standard output.")],
    context: ContextId,
    type_name: Annotated[str | None, Option("--type", metavar="TYPE", help="Only this type.")] = None,
    store: StoreOptions,
) -> None:
    """Write the objects of a context as lines of JSON, without their history, for `heroctl osis import`."""
    objects = Objects(namespace_of(store))
    access = operator(context)
    count = 0
    with open_supervisor(store) as supervisor, _opened(file, "w") as out:
        names = [type_name] if type_name else list(supervisor.store.drive(objects.types(access)))
        for name in names:
            page: list[str] = []
            for sid in (*all_sids(supervisor, objects, access, name), None):
                if sid is not None:
                    page.append(sid)
                if len(page) >= 500 or (sid is None and page):
                    for one in supervisor.store.drive(objects.get_many(access, name, page)):
                        line = {"type": name, "sid": one.sid, "fields": one.fields}
                        out.write(json.dumps(line, ensure_ascii=False) + "\n")
                        count += 1
                    page = []
    print_note(f"exported {count} objects of the context {context}")


def import_(
    *,
    file: Annotated[str, Argument(metavar="FILE", help="Path of the file, or - for standard input.")],
    context: ContextId,
    schemas: Schemas = "",
    keep: Annotated[bool, Option("--keep", help="Leave objects that exist as they are.")] = False,
    store: StoreOptions,
) -> None:
    """Read lines of `heroctl osis export` into a context. An object that exists is replaced, as a new version."""
    objects = Objects(namespace_of(store), _MAX_BYTES)
    access = operator(context)
    types = read_types(schemas)
    written = kept = 0
    with open_supervisor(store) as supervisor, _opened(file, "r") as lines:
        drive = supervisor.store.drive
        for number, line in enumerate(lines, 1):
            try:
                name, sid, fields = _parsed(line)
                short = short_name(name)
                checked = types.check(short, fields)
                flow = objects.put(access, name, sid, checked, indexed=types.indexed(short), base=0 if keep else None)
                drive(flow)
                written += 1
            except ObjectChanged:
                kept += 1
            except (ObjectError, ValueError) as e:
                text = f"{file}:{number}: {e}; the {written} lines before it were imported"
                fail(text, CtlExitCode.FAILED)
    print_note(f"imported {written} objects into the context {context}" + (f"; {kept} were kept" if kept else ""))


def _parsed(line: str) -> tuple[str, str, dict[str, Any]]:
    parsed = json.loads(line)
    try:
        name, sid, fields = parsed["type"], parsed["sid"], parsed["fields"]
    except (TypeError, KeyError) as e:
        raise ValueError("a line is an object with type, sid and fields") from e
    if not (isinstance(name, str) and isinstance(sid, str) and isinstance(fields, dict)):
        raise ValueError("type and sid are texts, fields is an object")  # noqa: TRY004  # as for other bad lines
    return name, sid, fields


def _opened(file: str, mode: str) -> TextIO:
    if file == "-":
        return contextlib.nullcontext(sys.stdout if mode == "w" else sys.stdin)  # type: ignore[return-value]  # used alike
    try:
        if mode == "w":  # only its owner can read it, because objects may hold secrets
            return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")
        return Path(file).open(encoding="utf-8")
    except OSError as e:
        fail(f"{file} cannot be opened: {e.strerror or e}", CtlExitCode.USAGE)
