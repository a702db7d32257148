"""What is wrong with a schema, and where. Pure."""

from __future__ import annotations


class SchemaError(ValueError):
    """A schema cannot be used.

    Args:
        file: Name of the file; "" for a text without a file.
        line: From 1; 0 if the whole file is meant.
        column: From 1; 0 if the whole line is meant.
        reason: What is wrong, and what would be right.
    """

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        super().__init__(file, line, column, reason)
        self.file = file
        self.line = line
        self.column = column
        self.reason = reason

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file or "schema", self.line, self.column) if part)
        return f"{place}: {self.reason}"


class ObjectMalformed(ValueError):
    """An object does not fit its type.

    Args:
        type_name: The type.
        problems: What is wrong, one sentence per field.
    """

    def __init__(self, type_name: str, problems: tuple[str, ...]) -> None:
        super().__init__(type_name, problems)
        self.type_name = type_name
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)
