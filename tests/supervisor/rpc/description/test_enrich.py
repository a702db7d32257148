"""What `rpc.discover` says beyond the types: enumerations, scopes, tags, kinds of errors, notifications."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_supervisor.rpc.auth.scopes import needed_scope
from hero_supervisor.rpc.description import enrich, enums, error_kinds
from hero_supervisor.rpc.emit.document import whole_document
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.json_schema import validator

RPC = Path(enrich.__file__).parents[1]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return whole_document()


def test_every_method_has_its_scope_a_tag_and_whether_it_may_be_called_again(document: dict[str, Any]) -> None:
    names = {method["name"] for method in document["methods"]}
    for method in document["methods"]:
        name = method["name"]
        assert method["x-scope"] == needed_scope(name).name.lower()
        ((tag,),) = [[one["name"] for one in method["tags"]]]
        assert tag in enrich.TAGS.values()
        params = {param["name"] for param in method["params"]}
        assert method["x-repeat"] in {"safe", "no", *params}, name

    assert names >= set(enrich.REPEATABLE)
    assert {method["tags"][0]["name"] for method in document["methods"]} == set(enrich.TAGS.values())


def test_no_text_with_the_members_of_an_enumeration_is_left(document: dict[str, Any]) -> None:
    """A row of the tables that fits nothing is a misspelling."""
    schemas = document["components"]["schemas"]
    methods = {method["name"] for method in document["methods"]}
    kinds = {kind for kind in (*enums.BY_FIELD.values(), *enums.BY_PLACE.values()) if kind is not None}
    for kind in kinds:
        assert schemas[kind.__name__]["enum"] == list(kind)
    for place in enums.BY_PLACE:
        owner, _, field = place.partition(".")
        if owner in schemas:
            assert field in schemas[owner]["properties"], place
        else:
            assert owner in methods, place
    for owner, schema in schemas.items():
        for field, value in schema.get("properties", {}).items():
            if field in enums.BY_FIELD and enums.BY_PLACE.get(f"{owner}.{field}", field) is not None:
                assert "$ref" in str(value), f"{owner}.{field}"


def raised() -> Iterator[tuple[ErrorCode, str, set[str]]]:
    """Each place of the source that builds an error: its code, its kind and the fields of its data."""
    for path in sorted(RPC.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            texts = {
                target.id: node.value.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name) and isinstance(node.value.value, str)
            }
            for call in ast.walk(function):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                    continue
                given = {word.arg: word.value for word in call.keywords if word.arg is not None}
                if call.func.id == "unauthenticated":
                    code = ErrorCode.UNAUTHENTICATED
                elif call.func.id == "RpcError" and isinstance(call.args[0], ast.Attribute):
                    code = ErrorCode[call.args[0].attr]
                else:
                    continue
                match given.pop("kind", None):
                    case ast.Constant(value=str(kind)):
                        yield code, kind, set(given) - {"hint"}
                    case ast.Name(id=name) if name in texts:
                        yield code, texts[name], set(given) - {"hint"}
                    case _:
                        yield code, "", set(given) - {"hint"}


def test_the_kinds_of_errors_are_those_that_the_source_names() -> None:
    found: dict[ErrorCode, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for code, kind, fields in raised():
        found[code][kind] |= fields

    assert set(found) == set(error_kinds.KINDS) == set(ErrorCode)
    for code, kinds in found.items():
        listed = error_kinds.KINDS[code]
        assert set(kinds) - {""} == set(listed) - {error_kinds.ANY_KIND, "unauthenticated"}, code
        for kind, fields in kinds.items():
            if kind:
                assert fields <= set(listed[kind]), f"{code}: {kind}"


def test_errors_of_methods_name_their_kinds(document: dict[str, Any]) -> None:
    described = {error["code"]: error for error in document["x-errors"]}
    assert set(described) == set(ErrorCode)
    for method in document["methods"]:
        for error in method["errors"]:
            assert error["data"]["kinds"] == list(described[error["code"]]["kinds"])


def test_notifications_are_described_by_topic(document: dict[str, Any]) -> None:
    (subscribe,) = [method for method in document["methods"] if method["name"] == "hero_subscribe"]
    (notification,) = document["x-notifications"]

    assert notification["name"] == "hero_subscription"
    assert list(notification["topics"]) == subscribe["params"][0]["schema"]["enum"]
    for topic in notification["topics"].values():
        for part in ("params", "result"):
            validator().check_schema({**topic[part], "components": document["components"]})
