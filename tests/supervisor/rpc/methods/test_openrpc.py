"""`rpc.discover`: a document that follows OpenRPC 1.3.2 and agrees with the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.supervisor.rpc.json_schema import validator
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer

METHODS = {
    "create_job", "start_job", "run_job", "play", "get_job", "get_job_status", "get_job_output", "get_job_logs",
    "stop_job", "retry_job", "list_jobs", "delete_job", "create_jobs", "run_jobs", "wait_jobs", "get_batch",
    "list_dead", "retry_dead", "purge_dead", "clear_all_jobs", "list_actors", "list_queues", "pause_queue",
    "resume_queue", "create_schedule", "list_schedules", "delete_schedule", "stats", "health", "version",
    "pause_schedule", "resume_schedule", "list_batches",
    "get_actor", "start_actor", "stop_actor", "restart_actor", "scale_actors", "reload", "purge_queue",
    "get_actor_logs", "list_functions",
    "new_object", "set_object", "get_object", "delete_object", "list_objects", "find_objects", "get_object_history",
    "list_object_types", "get_object_rights", "change_object_rights",
    "list_waiting", "list_delayed", "list_blocked", "list_active", "search_jobs", "explain_job",
    "get_job_attempts", "stop_jobs", "retry_jobs", "delete_jobs", "get_act", "get_audit", "get_history",
    "list_events",
    "fetch_nonce", "authenticate", "whoami", "hero_subscribe", "hero_unsubscribe",
}  # fmt: skip


@pytest.fixture
def document(client: RawClient) -> dict[str, Any]:
    found: dict[str, Any] = client.call("rpc.discover", [])
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_method_is_described(document: dict[str, Any]) -> None:
    assert {method["name"] for method in document["methods"]} == METHODS


#: Methods that are called by programs of the Rust family, and not described.
ALIASES = {
    "jobs.create", "jobs.list", "jobs.clear", "job.run", "job.start", "job.status", "job.result", "job.logs",
    "job.stop", "job.delete",
}  # fmt: skip


def test_methods_with_dotted_names_are_called_and_not_described(unix_server: RunningServer) -> None:
    assert unix_server.methods() == METHODS | ALIASES | {"rpc.discover"}


def titles(schema: Any, *, names: bool = False) -> Iterator[str]:
    if isinstance(schema, dict):
        if not names and isinstance(schema.get("title"), str):
            yield schema["title"]
        for name, value in schema.items():
            yield from titles(value, names=not names and name == "properties")
    elif isinstance(schema, list):
        for value in schema:
            yield from titles(value)


def test_a_title_stands_for_one_type(document: dict[str, Any]) -> None:
    found = list(titles(document))

    assert len(found) == len(set(found))
    assert set(document["components"]["schemas"]) <= set(found)


def test_every_example_is_valid_by_its_own_schema(document: dict[str, Any]) -> None:
    def check(schema: dict[str, Any], value: Any, what: str) -> None:
        whole = {**schema, "components": document["components"]}
        validator().check_schema(whole)
        problems = [error.message for error in validator()(whole).iter_errors(value)]
        assert problems == [], what

    for method in document["methods"]:
        schemas = {param["name"]: param["schema"] for param in method["params"]}
        for example in method["examples"]:
            for param in example["params"]:
                check(schemas[param["name"]], param["value"], f"{method['name']}: {param['name']}")
            check(method["result"]["schema"], example["result"]["value"], f"{method['name']}: result")


def test_the_document_has_what_the_meta_schema_requires_and_nothing_unknown_to_it(document: dict[str, Any]) -> None:
    assert document["openrpc"] == "1.3.2"
    extended = {"x-errors", "x-notifications"}
    assert document.keys() - extended <= {"openrpc", "info", "methods", "components", "servers", "externalDocs"}
    assert {"title", "version"} <= document["info"].keys()
    known = {"name", "summary", "description", "paramStructure", "params", "result", "errors", "tags", "examples"}
    known |= {"x-scope", "x-repeat"}
    for method in document["methods"]:
        assert {"name", "params", "result"} <= method.keys() <= known
        for descriptor in (*method["params"], method["result"]):
            assert {"name", "schema"} <= descriptor.keys() <= {"name", "schema", "required", "summary", "description"}
        for error in method["errors"]:
            assert error.keys() == {"code", "message", "data"}


def test_every_method_has_an_example_with_parameters_that_it_takes(document: dict[str, Any]) -> None:
    for method in document["methods"]:
        (example,) = method["examples"]
        assert example.keys() == {"name", "params", "result"}
        known = [param["name"] for param in method["params"]]
        required = {param["name"] for param in method["params"] if param["required"]}
        given = {param["name"] for param in example["params"]}
        assert required <= given <= set(known), method["name"]


def test_names_of_methods_and_of_parameters_differ(document: dict[str, Any]) -> None:
    for named in (document["methods"], *(method["params"] for method in document["methods"])):
        names = [item["name"] for item in named]
        assert len(names) == len(set(names))


def test_required_parameters_come_before_optional_ones(document: dict[str, Any]) -> None:
    for method in document["methods"]:
        required = [param["required"] for param in method["params"]]
        assert required == sorted(required, reverse=True)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_method_has_a_summary_and_lists_only_our_errors(document: dict[str, Any]) -> None:
    for method in document["methods"]:
        assert method["summary"].endswith(".")
        assert len(method["summary"]) < 120
        for error in method["errors"]:
            assert not -32768 <= error["code"] <= -32000


def test_positional_parameters_are_in_the_order_that_is_described(document: dict[str, Any], client: RawClient) -> None:
    (list_jobs,) = [method for method in document["methods"] if method["name"] == "list_jobs"]

    assert [param["name"] for param in list_jobs["params"]][:3] == ["cursor", "count", "status"]
    assert client.call("list_jobs", ["", 10]) == client.call("list_jobs", {"count": 10, "cursor": ""})
