"""Everything that can be done with jobs, queues and actors in Redis; each operation is defined once, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_job.operations.operations import Op, Operations, T

__all__ = ["Op", "Operations", "T"]


def __getattr__(name: str) -> Any:
    # On first use: an actor imports this package and needs none of the three.
    if name in __all__:
        from hero_job.operations import operations

        return getattr(operations, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
