"""The supervisor: the service that runs actors. The client API of `hero_client` is re-exported here.

The API is imported on first use, so a program that only submits jobs imports no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor, Supervisor, SupervisorBuilder
    from hero_job import ScriptType

__all__ = ["AsyncSupervisor", "ScriptType", "Supervisor", "SupervisorBuilder"]


def __getattr__(name: str) -> Any:
    if name == "ScriptType":
        from hero_job import ScriptType

        return ScriptType
    if name in __all__:
        import hero_client

        return getattr(hero_client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
