"""One example call of a method, in the shape that OpenRPC prescribes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One example call.

    Attributes:
        params: By name.
        result: Its result; an empty list or object stands for any.
    """

    params: Mapping[str, Any]
    result: Any

    def described(self, method: str) -> dict[str, Any]:
        """Return the example in the shape that OpenRPC prescribes."""
        return {
            "name": f"a call of {method}",
            "params": [{"name": name, "value": value} for name, value in self.params.items()],
            "result": {"name": "result", "value": self.result},
        }
