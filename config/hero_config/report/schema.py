"""Writes the JSON Schema of the config file: with it editors complete keys, explain them and mark mistakes.

Called by `hero-supervisor config schema`; `config/hero.schema.json` is its output, and a test compares the two. Python
drops the strings below the keys of a model, so this module reads them from the source. Only this room does, so the
service does not pay for it.

Source: https://json-schema.org/draft/2020-12 ; the comment `#:schema` that ties a file to it:
https://taplo.tamasfe.dev/configuration/directives.html
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from typing import Any

from pydantic import BaseModel

from hero_config.layers.key_paths import models_in
from hero_config.model.durations import DURATION_PATTERN
from hero_config.model.settings import Settings


def schema() -> dict[str, Any]:
    """Describe the config file.

    Returns:
        A JSON Schema, draft 2020-12.
    """
    made = Settings.model_json_schema()
    _describe(made, Settings)
    for model in _all_models(Settings):
        if model is not Settings:
            _describe(made["$defs"][model.__name__], model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "hero.toml",
        "description": "The settings of the Hero actor runtime. A key that is left out has its default.",
    }


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Read the explanation of each key of a model from the source, as one line of text."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            found[statement.target.id] = " ".join(str(following.value.value).split())
    return found


def _describe(made: dict[str, Any], model: type[BaseModel]) -> None:
    texts = docstrings(model)
    made.pop("title", None)
    for key, field in made["properties"].items():
        field.pop("title", None)
        if inner := models_in(model.model_fields[key].annotation):
            texts.setdefault(key, inspect.cleandoc(inner[0].__doc__ or ""))
        field["description"] = texts[key]
        if key.endswith("_s"):
            _take_duration(field)


def _take_duration(field: dict[str, Any]) -> None:
    """Let a number of seconds be a duration in words, too, as `Section` reads it."""
    number = {keyword: field.pop(keyword) for keyword in list(field) if keyword not in ("default", "description")}
    field["anyOf"] = [number, {"type": "string", "pattern": DURATION_PATTERN}]


def _all_models(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [found for field in model.model_fields.values() for found in models_in(field.annotation)]
    return [model, *(below for found in inner for below in _all_models(found))]
