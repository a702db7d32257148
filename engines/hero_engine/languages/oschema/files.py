"""Reads a folder of schemas, and the types that are there without one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hero_engine.languages.oschema.errors import SchemaError
from hero_engine.languages.oschema.resolve import read_schema
from hero_engine.languages.oschema.schema import OSchema

SUFFIX: Final = ".oschema"
_BUILTIN: Final = Path(__file__).parent / "builtin.oschema"
_MAX_FILES: Final = 1000


def read_schema_folder(folder: str) -> OSchema:
    """Read all schemas of a folder and its subfolders, in the order of their names.

    Args:
        folder: Its path; "" for the built-in types note, event, user, calendar, contact and task.

    Returns:
        The schema.

    Raises:
        SchemaError: The folder cannot be read or holds no schema, or one of the schemas cannot be used.
    """
    root = Path(folder)
    try:
        paths = sorted(root.rglob(f"*{SUFFIX}")) if folder else [_BUILTIN]
        if folder and not root.is_dir():
            raise SchemaError(folder, 0, 0, "is no folder; osis_schemas names the folder of the schemas")
        if not paths:
            raise SchemaError(folder, 0, 0, f"holds no file that ends in {SUFFIX}")
        if len(paths) > _MAX_FILES:
            raise SchemaError(folder, 0, 0, f"holds more than {_MAX_FILES} schemas")
        return read_schema({str(path) if folder else path.name: _text(path) for path in paths})
    except OSError as e:
        raise SchemaError(str(e.filename or folder), 0, 0, f"cannot be read: {e.strerror or e}") from e


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as e:
        raise SchemaError(str(path), 0, 0, f"is not UTF-8: byte {e.start} is wrong") from e
