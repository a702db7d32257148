"""The method ``rpc.discover``, which describes the service as an OpenRPC document made from the registered functions.

Names, order, types and defaults come from the signatures, texts from the docstrings, errors from the registration,
examples from ``examples.py``. Invariant: nothing is written twice, so the document cannot lag behind the code. It is
built on the first call, because the schemas take some milliseconds that would delay every start.

Source: OpenRPC specification 1.3.2, https://spec.open-rpc.org/ (common tools do not read 1.4 yet).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import TypeAdapter

from hero_supervisor.rpc.methods.job_shapes import JobFields
from hero_supervisor.rpc.protocol.dispatch import Dispatcher, Method

if TYPE_CHECKING:
    from hero_job.model.job import JobLimits
    from hero_supervisor.rpc.methods.example import Example

OPENRPC_VERSION: Final = "1.3.2"
#: Where the schemas of named objects are.
REF_TEMPLATE: Final = "#/components/schemas/{model}"
_Schema = dict[str, Any]


@cache
def runtime_version() -> str:
    """Return the version of the installed distribution; its files are read once."""
    return installed_version("hero-runtime")


def register_discover(
    dispatcher: Dispatcher, limits: JobLimits, enrich: Callable[[dict[str, Any], Dispatcher], None]
) -> None:
    """Register ``rpc.discover``, which describes the registered methods.

    Args:
        dispatcher: Has the methods, and gets this one.
        limits: What the deployment accepts of a job.
        enrich: Adds to the document what the methods themselves do not know.
    """

    @cache
    def document() -> _Schema:
        found = describe(dispatcher, limits)
        enrich(found, dispatcher)
        for name, schema in found["components"]["schemas"].items():
            schema["title"] = name
        return found

    async def discover() -> dict[str, Any]:
        """Return this document."""
        return document()

    dispatcher.register("rpc.discover", discover)


def describe(dispatcher: Dispatcher, limits: JobLimits) -> _Schema:
    """Build the OpenRPC document of the methods registered so far.

    Args:
        dispatcher: Has the methods.
        limits: What the deployment accepts of a job.
    """
    from hero_supervisor.rpc.methods import examples

    schemas: _Schema = {}
    job_fields = schemas[schema_of(JobFields, schemas)["$ref"].rpartition("/")[2]]["properties"]
    shown = examples.build()
    # Generators make a function of each name, so names with a dot are called and not described: the aliases, and
    # rpc.discover itself, which the specification reserves.
    described = [method for name, method in dispatcher.methods.items() if "." not in name]
    methods = [_method(method, schemas, job_fields, shown.get(method.name)) for method in described]
    for method in methods:
        for param in method["params"]:
            _limit_scripts(param["name"], param["schema"], limits.max_script_bytes)
    _limit_scripts("", schemas["JobFields"], limits.max_script_bytes)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "Hero actor runtime",
            "description": "Scripts as jobs: create, start, run and follow them.",
            "version": runtime_version(),
            "license": {"name": "Apache-2.0"},
        },
        "methods": methods,
        "components": {"schemas": schemas},
    }


def _method(method: Method, schemas: _Schema, job_fields: _Schema, example: Example | None) -> _Schema:
    hints = get_type_hints(method.function, include_extras=True)
    params: list[_Schema] = []
    for parameter in inspect.signature(method.function).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            known = {param["name"] for param in params}
            for name, schema in job_fields.items():
                if name not in known:
                    params.append({"name": name, "required": False, "schema": schema})
            continue
        schema = schema_of(hints[parameter.name], schemas)
        required = parameter.default is inspect.Parameter.empty
        if not required and parameter.default is not None:
            schema = {**schema, "default": parameter.default}
        params.append({"name": parameter.name, "required": required, "schema": schema})
    summary, _, rest = (inspect.getdoc(method.function) or "").partition("\n")
    described: _Schema = {
        "name": method.name,
        "summary": summary,
        "paramStructure": "either",
        "params": params,
        "result": {"name": "result", "schema": schema_of(hints["return"], schemas)},
        "errors": [
            {"code": int(code), "message": code.name.replace("_", " ").lower()}
            for code in dict.fromkeys(method.error_codes)
        ],
    }
    if example is not None:
        described["examples"] = [example.described(method.name)]
    if rest.strip():
        described["description"] = rest.strip()
    return described


def _limit_scripts(name: str, schema: _Schema, most: int) -> None:
    """Say how long a script may be, wherever a parameter has one; types do not know the limit of the deployment."""
    if name in ("script", "payload") and schema.get("type") == "string":
        schema["maxLength"] = most
    for option in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        _limit_scripts(name, option, most)
    for inner, described in schema.get("properties", {}).items():
        _limit_scripts(inner, described, most)


def schema_of(annotation: Any, schemas: _Schema) -> _Schema:
    """Build the JSON schema of a type; the objects in it that have a name move to the shared schemas.

    Args:
        annotation: The type.
        schemas: The shared schemas; it grows.
    """
    return hoisted(TypeAdapter(annotation).json_schema(ref_template=REF_TEMPLATE), schemas)


def hoisted(schema: _Schema, schemas: _Schema) -> _Schema:
    """Put references in the place of named objects, which move to the shared schemas.

    Args:
        schema: As pydantic has made it: the title of an object with properties is the name of its type.
        schemas: The shared schemas; it grows.
    """
    for name, inner in schema.pop("$defs", {}).items():
        schemas[name] = _untitled(_named(inner, schemas, top=True))
    found: _Schema = _untitled(_named(schema, schemas))
    return found


def _named(schema: Any, schemas: _Schema, *, top: bool = False) -> Any:
    if isinstance(schema, list):
        return [_named(value, schemas) for value in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _named(value, schemas) for key, value in schema.items()}
    if top or "properties" not in named or not isinstance(named.get("title"), str):
        return named
    name = named["title"]
    schemas[name] = _untitled(named)
    return {"$ref": REF_TEMPLATE.format(model=name)}


def _untitled(schema: Any, *, names: bool = False) -> Any:
    """Leave out the titles that pydantic makes of names: generators take a title for the name of one type.

    Args:
        schema: Any part of a JSON schema.
        names: It is an object whose keys are names that we chose, such as those of properties.
    """
    if isinstance(schema, dict):
        kept = {name: value for name, value in schema.items() if names or name != "title" or not isinstance(value, str)}
        return {name: _untitled(value, names=not names and name == "properties") for name, value in kept.items()}
    if isinstance(schema, list):
        return [_untitled(value) for value in schema]
    return schema
