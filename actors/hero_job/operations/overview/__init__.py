"""What operators ask of a deployment: lists of jobs, and why a job does not run.

Each module is imported on first use as an attribute of the package, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_job.operations.overview import acts, backlog, batch_list, explain, history, lists, overdue

__all__ = ["acts", "backlog", "batch_list", "explain", "history", "lists", "overdue"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
