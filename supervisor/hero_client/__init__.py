"""The Python API for programs that submit jobs. Starts no process and loads neither a server nor pydantic.

`SupervisorBuilder` makes a `Supervisor` or, for asyncio, an `AsyncSupervisor`; both are clients of the deployment's
Redis. `hero_supervisor` exports the same names, where the Rust system has them.
"""

from __future__ import annotations

from hero_client.async_supervisor import AsyncSupervisor
from hero_client.builder import SupervisorBuilder
from hero_client.supervisor import Supervisor
from hero_job.model.job import ScriptType

__all__ = ["AsyncSupervisor", "ScriptType", "Supervisor", "SupervisorBuilder"]
