"""A program that only submits jobs stays light: it loads no server, no pydantic, and no asyncio."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import pytest

from hero_client import AsyncSupervisor, Supervisor
from hero_client.later import Later
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.overview import lists
from tests.valkey_server import ValkeyServer

SUBMIT = """
from {package} import ScriptType, SupervisorBuilder
from hero_job import JobBuilder

supervisor = SupervisorBuilder().redis_url(os.environ["URL"]).namespace(os.environ["NAMESPACE"]).build()
job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.OSIS).script("1").id("j").build()
assert supervisor.submit_job(job) == "j"
assert not supervisor.get_job_status("j").terminal
"""
HEAVY = {"pydantic", "redis", "asyncio", "ssl", "uvicorn", "starlette", "websockets", "typer", "rich", "psutil"}
#: What a client has for other calls than these two.
LATER = {
    "hero_client.async_supervisor",
    "hero_job.operations.overview.lists",
    "hero_job.operations.schedules",
    "zoneinfo",
}
SERVERS = {"hero_config", "hero_actor", "hero_engine", "hero_ctl", "hero_process"}


@pytest.mark.parametrize("package", ["hero_client", "hero_supervisor"])
def test_a_program_that_submits_jobs_loads_no_server_and_no_pydantic(
    package: str, valkey: ValkeyServer, namespace: str, store: Store, operations: Operations
) -> None:
    program = "import os, sys\n" + SUBMIT.format(package=package) + "print(*sys.modules)"
    environment = {**os.environ, "URL": valkey.url, "NAMESPACE": namespace}

    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True, env=environment).split())

    assert store.run(operations.record("j")).job.script == "1"
    assert loaded & (HEAVY | SERVERS) == set()
    assert {name for name in loaded if name.startswith("hero_supervisor.")} == set()
    assert loaded & LATER == set()


def test_the_names_of_the_rust_system_are_those_of_the_client() -> None:
    import hero_client
    import hero_supervisor

    assert set(hero_supervisor.__all__) == set(hero_client.__all__)
    for name in hero_client.__all__:
        assert getattr(hero_supervisor, name) is getattr(hero_client, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hero_supervisor.nothing


@pytest.mark.parametrize("kind", [Supervisor, AsyncSupervisor])
def test_a_call_whose_operation_is_imported_later_is_a_method_like_the_others(
    kind: type[Supervisor | AsyncSupervisor],
) -> None:
    assert kind.list_jobs.__doc__ == lists.list_jobs.__doc__
    assert list(inspect.signature(kind.list_jobs).parameters) == list(inspect.signature(lists.list_jobs).parameters)
    assert kind.list_jobs is kind.list_jobs


def test_a_method_that_overrides_one_that_is_imported_later_reaches_it() -> None:
    class Given:
        names: Later[Given, [], list[str]] = Later(lambda: lambda _self: ["given"])

    class Own(Given):
        def names(self) -> list[str]:
            return ["own", *super().names()]

    assert [Own().names(), Own().names(), Given().names()] == [["own", "given"], ["own", "given"], ["given"]]
