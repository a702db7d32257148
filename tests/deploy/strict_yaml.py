"""Reads YAML with PyYAML, and refuses a key that a map has twice: PyYAML alone would keep only the last one."""

from __future__ import annotations

from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # What is merged (<<) gives way to the map's own keys, and is not one of them.
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in own]
        assert len(keys) == len(set(keys)), f"a key stands twice:{node.start_mark}"
        return super().construct_mapping(node, deep)


def load_all(text: str) -> list[Any]:
    """The documents of a file."""
    return list(yaml.load_all(text, _StrictLoader))


def load(text: str) -> Any:
    """The only document of a file."""
    (document,) = load_all(text)
    return document
