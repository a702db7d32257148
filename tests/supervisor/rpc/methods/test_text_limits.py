"""Every text and every list that a client may send has a limit, and one more is refused.

The places come from the document of `rpc.discover`, so a new parameter without a limit fails here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.raw_client import RawClient, job

#: Fields that the newer Rust supervisor sends and that we do not read.
UNREAD = {"created_at", "updated_at", "runner"}
#: Parameters whose inner objects depend on another one.
TOPICS = {"job_ids": "jobs", "status": "jobs", "job_id": "logs", "host": "actors"}
LONGEST_ERROR = 4096

Place = tuple[list[str], dict[str, Any]]


def places_of(schema: dict[str, Any], components: dict[str, Any], path: list[str]) -> Iterator[Place]:
    """All texts, lists and free objects within a parameter: where, and their schema."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from places_of(option, components, path)
    match schema.get("type"):
        case "string" if "enum" not in schema and "const" not in schema:
            yield path, schema
        case "array":
            yield path, schema
            yield from places_of(schema["items"], components, [*path, "[]"])
        case "object":
            for name, inner in schema.get("properties", {}).items():
                if name not in UNREAD:
                    yield from places_of(inner, components, [*path, name])
            if isinstance(schema.get("additionalProperties"), dict):
                yield path, schema
                yield from places_of(schema["additionalProperties"], components, [*path, "*"])


def too_much(schema: dict[str, Any]) -> Iterator[Any]:
    """Values that exceed the limits of a schema by one."""
    match schema["type"]:
        case "string":
            yield "x" * (schema["maxLength"] + 1)
        case "array":
            item = job() if schema["items"].get("type") == "object" else "x"
            yield [item] * (schema["maxItems"] + 1)
        case "object":
            yield {"x" * (schema["propertyNames"]["maxLength"] + 1): "x"}
            if "maxProperties" in schema:
                yield {f"x{n}": "x" for n in range(schema["maxProperties"] + 1)}


def put(value: Any, path: list[str], base: Any) -> Any:
    """A parameter that has a value at a path, and elsewhere what it has in the example."""
    if not path:
        return value
    step, *rest = path
    if step == "[]":
        inner = base[0] if isinstance(base, list) and base else job()
        return [put(value, rest, inner)]
    found = copy.deepcopy(base) if isinstance(base, dict) else job() if "script" in path else {}
    found.pop("id", None)
    name = "NAME" if step == "*" else step
    found[name] = put(value, rest, found.get(name))
    return found


def test_every_text_and_list_has_a_limit_and_one_more_is_refused(client: RawClient) -> None:
    document = client.call("rpc.discover", [])
    components = document["components"]["schemas"]
    tried = 0
    wrong: list[Any] = []
    for method in document["methods"]:
        (example,) = method["examples"]
        given = {param["name"]: param["value"] for param in example["params"]}
        for param in method["params"]:
            for path, schema in places_of(param["schema"], components, []):
                place = f"{method['name']}: {'.'.join([param['name'], *path])}"
                try:
                    values = list(too_much(schema))
                except KeyError as missing:
                    wrong.append((place, f"has no {missing}"))
                    continue
                for value in values:
                    tried += 1
                    params = {**given, param["name"]: put(value, path, given.get(param["name"]))}
                    if method["name"] == "hero_subscribe":
                        params["topic"] = next((TOPICS[step] for step in path if step in TOPICS), "jobs")
                    if "job" in given and param["name"] not in {"job", "jobs", *given}:
                        params = {**given["job"], param["name"]: params[param["name"]]}
                    if (told := refusal(client, method["name"], params)) is not None:
                        wrong.append((place, told))

    assert wrong == []
    assert tried > 150
    assert client.call("list_jobs")["jobs"] == []


def refusal(client: RawClient, method: str, params: dict[str, Any]) -> Any:
    """What is wrong with the answer to a call that must be refused; None if nothing is."""
    answer = client.exchange(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + b"\n")
    error = answer.get("error")
    result = answer.get("result")
    if isinstance(result, dict) and result.get("refused"):
        error = result["refused"][0]["error"]
    if error is None or error["code"] != ErrorCode.INVALID_PARAMS:
        return answer
    return None if len(orjson.dumps(answer)) < LONGEST_ERROR else "the error is long"


@pytest.mark.parametrize("name", ["x" * 100_000, "\u2028" * 50_000])
def test_names_that_do_not_exist_are_not_repeated_in_full(client: RawClient, name: str) -> None:
    asked: list[tuple[str, Any]] = [
        (name, []),
        ("create_job", [job(**{name: 1})]),
        ("create_job", {**job(), name: 1}),
        ("create_job", {"job": job(), name: 1}),
        ("get_job", {name: 1}),
        ("run_job", [job(script_type=name)]),
    ]
    for method, params in asked:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = client.exchange(orjson.dumps(message) + b"\n")
        assert "error" in answer
        assert len(orjson.dumps(answer)) < LONGEST_ERROR, answer["error"]["message"][:200]
