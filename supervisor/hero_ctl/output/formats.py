"""How a command prints rows: as a table that fits the terminal, or as JSON, lines of JSON, YAML or names.

Every command that lists something goes through `print_rows`. Invariant: the fields of a row are those of the API, the
same in every format but the table; `FIELDS_VERSION` changes when one is renamed or removed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from hero_ctl.output.console import echo, print_note
from hero_ctl.output.visible import json_text
from hero_ctl.output.widths import columns_of, cut, padded, terminal_width

#: Version of the fields in `-o json` and `-o yaml`.
FIELDS_VERSION: Final = 1
_GAP: Final = 2
#: Columns that are left of any cell.
_LEAST: Final = 4
_WATCH_S: Final = 2.0

Row = Mapping[str, Any]


class Format(StrEnum):
    """What `--output` may be."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        head: Its heading.
        of: The text of its cell in a row.
        short: Another text for narrow terminals.
        short_head: Its heading then.
        least: Columns that are left of it when the table is too wide; 0 if its cells are never cut.
        rank: A table that is still too wide loses its columns in this order; 0 for never.
        wide: Only with `-o wide`.
    """

    head: str
    of: Callable[[Row], str]
    short: Callable[[Row], str] | None = None
    short_head: str = ""
    least: int = 0
    rank: int = 0
    wide: bool = False


class Listing(NamedTuple):
    """How one kind of rows is shown.

    Attributes:
        kind: What the rows are, as a word of the API: `jobs`.
        name: The field that identifies a row.
        empty: What a table says if there are none.
        columns: Of the table.
    """

    kind: str
    name: str
    empty: str
    columns: tuple[Column, ...]


def print_rows(rows: Sequence[Row], listing: Listing, form: Format, *, bare: bool = False) -> None:
    """Print rows.

    Args:
        rows: JSON values by field.
        listing: How they are shown.
        form: In which format.
        bare: JSON as an array of rows, without the version: what `--json` has always printed.
    """
    match form:
        case Format.JSON if bare:
            echo(json_text(list(rows), indent=2))
        case Format.JSON:
            echo(json_text(_envelope(rows, listing), indent=2))
        case Format.JSONL:
            for row in rows:
                echo(json_text(row))
        case Format.YAML:
            import yaml

            echo(yaml.safe_dump(_plain(_envelope(rows, listing)), allow_unicode=True, sort_keys=False), nl=False)
        case Format.NAME:
            for row in rows:
                echo(one_line(str(row[listing.name])))
        case Format.TABLE | Format.WIDE:
            _print_table(rows, listing, wide=form is Format.WIDE)


def print_record(record: Row, kind: str, form: Format, draw: Callable[[], None], *, name: str = "id") -> None:
    """Print one thing with many fields.

    Args:
        record: JSON values by field.
        kind: What it is, as a word of the API.
        form: In which format.
        draw: Prints it for people.
        name: The field that identifies it.
    """
    if form in (Format.TABLE, Format.WIDE):
        draw()
    else:
        listing = Listing(kind=kind, name=name, empty="", columns=())
        if form in (Format.JSON, Format.YAML):
            versioned = {"version": FIELDS_VERSION, "kind": kind, **record}
            if form is Format.JSON:
                echo(json_text(versioned, indent=2))
            else:
                import yaml

                echo(yaml.safe_dump(_plain(versioned), allow_unicode=True, sort_keys=False), nl=False)
        else:
            print_rows([record], listing, form)


def repeat(draw: Callable[[], None], *, watch: bool) -> None:
    """Print once, or again and again until the user interrupts."""
    while watch:
        if sys.stdout.isatty():
            echo("\x1b[H\x1b[2J", nl=False)
        draw()
        sys.stdout.flush()
        time.sleep(_WATCH_S)
    draw()


def one_line(text: str, most: int = 4000) -> str:
    """Make one printable line of a text: no control character of a script reaches the terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: most * 4]).split())
    return cut(line, most)


def _envelope(rows: Sequence[Row], listing: Listing) -> dict[str, Any]:
    return {"version": FIELDS_VERSION, "kind": listing.kind, "items": list(rows)}


def _print_table(rows: Sequence[Row], listing: Listing, *, wide: bool) -> None:
    if not rows:
        echo(listing.empty)
        return
    columns = [column for column in listing.columns if wide or not column.wide]
    lines = table_lines(rows, columns, None if wide else terminal_width())
    for line in lines:
        echo(line)
    # The first column identifies the row.
    if any(one_line(columns[0].of(row)) not in line for row, line in zip(rows, lines[1:], strict=True)):
        print_note("some names are cut: -o wide or -o name shows them")


def table_lines(rows: Sequence[Row], columns: Sequence[Column], width: int | None) -> list[str]:
    """Lay out a table.

    Args:
        rows: The rows.
        columns: Its columns.
        width: Columns of the terminal; None for no limit.

    Returns:
        Its lines, with the heading. They fit: cells that are otherwise never cut are, if nothing else helps.
    """
    shown = list(columns)
    cells = _cells(rows, shown, short=False)
    if width is not None and _least(cells, shown) > width:
        cells = _cells(rows, shown, short=True)
        while _least(cells, shown) > width and any(column.rank for column in shown):
            gone = min((column.rank, n) for n, column in enumerate(shown) if column.rank)[1]
            del shown[gone]
            for line in cells:
                del line[gone]
    sizes = _sizes(cells)
    while width is not None and _total(sizes) > width:
        rest = [n for n, column in enumerate(shown) if column.least and sizes[n] > column.least]
        least = 0 if rest else _LEAST
        rest = rest or [n for n, size in enumerate(sizes) if size > _LEAST]
        if not rest:
            break
        widest = max(rest, key=lambda n: sizes[n])
        sizes[widest] = max(least or shown[widest].least, sizes[widest] - (_total(sizes) - width))
    return [
        (" " * _GAP).join(padded(cut(cell, size), size) for cell, size in zip(line, sizes, strict=True)).rstrip()
        for line in cells
    ]


def _cells(rows: Sequence[Row], columns: Sequence[Column], *, short: bool) -> list[list[str]]:
    heads = [column.short_head or column.head if short and column.short else column.head for column in columns]
    lines = [
        [one_line((column.short if short and column.short else column.of)(row)) for column in columns] for row in rows
    ]
    return [heads, *lines]


def _sizes(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns_of, column)) for column in zip(*cells, strict=True)]


def _least(cells: Sequence[Sequence[str]], columns: Sequence[Column]) -> int:
    sizes = _sizes(cells)
    return _total([min(size, column.least or size) for size, column in zip(sizes, columns, strict=True)])


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + _GAP * (len(sizes) - 1)


def _plain(value: dict[str, Any]) -> Any:
    """Make of enumerations and the like what JSON makes of them, because YAML does not know them."""
    return json.loads(json.dumps(value))
