"""One small change of one file."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One small change of one file.

    Attributes:
        path: The file, in the repository.
        line: Where the change is.
        operator: What kind of change it is.
        begin: First byte that is replaced.
        end: First byte behind it.
        after: What stands there instead.
    """

    path: str
    line: int
    operator: str
    begin: int
    end: int
    after: str

    def applied_to(self, source: str) -> str:
        """Return the changed text."""
        data = source.encode()
        return (data[: self.begin] + self.after.encode() + data[self.end :]).decode()

    def before(self, source: str) -> str:
        """Return what is replaced."""
        return source.encode()[self.begin : self.end].decode()

    def key(self, source: str) -> str:
        """Name it so that the name holds while the line stays the same."""
        return f"{self.path}:{self.line}: {self.operator}: {self.before(source)!r} -> {self.after!r}"
