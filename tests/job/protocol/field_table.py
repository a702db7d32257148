"""The table of a job's fields in docs/redis.md, as the rows of `Job` give it. Run it to print the table anew."""

from __future__ import annotations

from collections.abc import Iterable

from hero_job.model.fields.job_field import JobField

TYPES: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    dict[str, str]: "JSON object",
    list[str]: "JSON array",
    list[dict[str, str]]: "JSON array",
}


def field_table(rows: Iterable[JobField]) -> list[str]:
    """The lines of the table, without its heading."""
    return [
        f"| `{field.name}` | {TYPES[field.kind.json_type]} | {_default(field)} | {_stored(field)} | {field.doc} |"
        for field in rows
    ]


def _default(field: JobField) -> str:
    if field.required:
        return "required"
    return "none" if field.default is None else f"`{field.kind.encode(field.default)}`"


def _stored(field: JobField) -> str:
    if field.always_stored:
        return "always"
    return "if set" if field.with_field is None else f"with `{field.with_field}`"


if __name__ == "__main__":
    from hero_job.model.job import JOB_FIELDS

    print("\n".join(field_table(JOB_FIELDS)))
