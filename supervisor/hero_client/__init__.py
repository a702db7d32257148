"""The Python API for programs that submit jobs. Starts no process and loads neither a server nor pydantic.

`SupervisorBuilder` makes a `Supervisor` or, for asyncio, an `AsyncSupervisor`; both are clients of the deployment's
Redis. `hero_supervisor` exports the same names, where the Rust system has them. Each name is imported on first use, so
a program pays for the client that it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hero_client.async_supervisor import AsyncSupervisor
    from hero_client.builder import SupervisorBuilder
    from hero_client.supervisor import Supervisor
    from hero_job.model.job import ScriptType

__all__ = ["AsyncSupervisor", "ScriptType", "Supervisor", "SupervisorBuilder"]

_MODULES: Final = {
    "AsyncSupervisor": "hero_client.async_supervisor",
    "ScriptType": "hero_job.model.job",
    "Supervisor": "hero_client.supervisor",
    "SupervisorBuilder": "hero_client.builder",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
