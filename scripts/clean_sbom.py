"""Takes out of a bill of materials (CycloneDX JSON) what says where it was made; `scripts/release` calls it.

The tools that write them name the index of packages that they would ask, the folder of the sources on this machine,
and the moment. Invariant: what is left depends on the lock files alone, so the same commit gives the same file.

Usage: python scripts/clean_sbom.py FILE...      The files are replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

#: How Cargo names a package from a registry, and one from a folder.
_FROM_REGISTRY = re.compile(r"^registry\+[^#]*#")
_FROM_FOLDER = re.compile(r"^path\+file://[^#]*/([^/#]+)#")
_LINE_OF_LOCK = re.compile(r"^requirements line \d+: ")


def cleaned(document: dict[str, Any]) -> dict[str, Any]:
    """Return a bill of materials without addresses of indexes, folders of this machine, and times.

    Args:
        document: As `cyclonedx-py` or maturin has written it.
    """
    found: dict[str, Any] = _clean(document)
    found.pop("serialNumber", None)
    found.get("metadata", {}).pop("timestamp", None)
    return found


def _clean(node: Any) -> Any:
    if isinstance(node, list):
        return [_clean(one) for one in node]
    if isinstance(node, str):
        return _text(node)
    if not isinstance(node, dict):
        return node
    found = {key: _clean(value) for key, value in node.items()}
    if _LINE_OF_LOCK.match(str(found.get("description", ""))):
        del found["description"]
    references = found.get("externalReferences", [])
    distributions = [one for one in references if one.get("type") == "distribution"]
    if distributions:
        # The hashes are what matters: they say which files were tested, wherever they come from.
        found["hashes"] = [one for reference in distributions for one in reference.get("hashes", ())]
        others = [one for one in references if one not in distributions]
        found |= {"externalReferences": others}
        if not others:
            del found["externalReferences"]
    return found


def _text(text: str) -> str:
    text = _FROM_REGISTRY.sub("cargo:", text)
    text = _FROM_FOLDER.sub(r"cargo:\1#", text)
    return re.sub(r"\?download_url=file:[^#&]*", "", text) if text.startswith("pkg:") else text


def main() -> int:
    for path in map(Path, sys.argv[1:]):
        document = cleaned(json.loads(path.read_text("utf-8")))
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
