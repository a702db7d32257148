"""The supervisor: the service that runs actors, and the API by which programs give it jobs.

The API is loaded on first use, so that a program which only submits jobs imports nothing of the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_client.api import AsyncSupervisor, Supervisor, SupervisorBuilder
    from hero_job import ScriptType

__all__ = ["AsyncSupervisor", "ScriptType", "Supervisor", "SupervisorBuilder"]


def __getattr__(name: str) -> Any:
    if name == "ScriptType":
        from hero_job import ScriptType

        return ScriptType
    if name in __all__:
        from hero_client import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
