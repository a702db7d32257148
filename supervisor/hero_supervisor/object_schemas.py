"""The types of objects that the configured OSIS actors have: checked at the start, and used by the RPC.

`cli.py`, `config_cli.py` and a reload check them; the RPC checks objects with them. The language is imported only if an
entry names schemas, or when the first object comes. Invariant: a config whose schemas cannot be used does not start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hero_config.layers.load import Config
from hero_config.layers.problems import ConfigError, ConfigProblem
from hero_config.model.settings import ActorSettings, Settings

if TYPE_CHECKING:
    from hero_engine.languages.oschema.models import ObjectTypes


class ConfiguredTypes:
    """The types by namespace; the schemas of a namespace are read when they are first asked for.

    Args:
        settings: Of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._folders = {actor.osis_namespace: actor.osis_schemas for _, actor in _with_objects(settings)}
        self.max_bytes = max((actor.osis_max_object_bytes for _, actor in _with_objects(settings)), default=1 << 20)
        self._types: dict[str, ObjectTypes] = {}

    def of(self, namespace: str) -> ObjectTypes | None:
        """The types of a namespace; None if no entry of this service has it, or its schemas are gone."""
        if namespace not in self._types and namespace in self._folders:
            from hero_engine.languages.oschema.errors import SchemaError
            from hero_engine.languages.oschema.files import read_schema_folder
            from hero_engine.languages.oschema.models import ObjectTypes

            try:
                self._types[namespace] = ObjectTypes(read_schema_folder(self._folders[namespace]))
            except SchemaError:
                return None  # changed since the start, where it was checked
        return self._types.get(namespace)

    @property
    def namespaces(self) -> list[str]:
        """All namespaces, sorted."""
        return sorted(self._folders)


def check_object_schemas(config: Config) -> list[ConfigProblem]:
    """Read the schemas of all entries.

    Args:
        config: A valid configuration.

    Returns:
        What has no effect in them.

    Raises:
        ConfigError: One of them cannot be used; names file, line and column.
    """
    problems: list[ConfigProblem] = []
    warnings: list[ConfigProblem] = []
    folders: dict[str, str] = {}
    for index, actor in _with_objects(config.settings):
        origin = config.origin(("actors", index, "osis_schemas"))
        key = f"actors.{index}.osis_schemas"
        if folders.setdefault(actor.osis_namespace, actor.osis_schemas) != actor.osis_schemas:
            text = f"another entry has other schemas for the namespace '{actor.osis_namespace}'; give each its own"
            problems.append(ConfigProblem(source=origin.source or "defaults", line=origin.line, key=key, expected=text))
        elif actor.osis_schemas:
            from hero_engine.languages.oschema.errors import SchemaError
            from hero_engine.languages.oschema.files import read_schema_folder

            try:
                schema = read_schema_folder(actor.osis_schemas)
            except SchemaError as e:
                where = f"column {e.column}: " if e.column else ""
                problems.append(ConfigProblem(source=e.file, line=e.line or None, expected=where + e.reason))
            else:
                warnings += [
                    ConfigProblem(source=one.file, line=one.line, expected=one.text) for one in schema.warnings
                ]
    if problems:
        raise ConfigError(tuple(problems))
    return warnings


def rights_table(actor: ActorSettings, folder: str) -> str:
    """Write the rights of an actor's scripts as JSON, with the types of its objects if it has any.

    Args:
        actor: Its entry.
        folder: Relative paths are below this folder.
    """
    table = actor.allow.as_json(folder)
    if actor.type != "osis":
        return table
    # As `check_object_schemas` reads them: below the folder of the service.
    schemas = str(Path(actor.osis_schemas).absolute()) if actor.osis_schemas else ""
    return json.dumps(json.loads(table) | {"objects": {"namespace": actor.osis_namespace, "schemas": schemas}})


def _with_objects(settings: Settings) -> Iterator[tuple[int, ActorSettings]]:
    for index, actor in enumerate(settings.actors):
        if actor.type == "osis" and not actor.command:
            yield index, actor
