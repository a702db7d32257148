"""Takes out of a bill of materials (CycloneDX JSON) what says where it was made; `scripts/release` calls it.

The tools that write them name the index of packages that they would ask, the folder of the sources on this machine,
and the moment. In a wheel, it cleans those that the wheel carries, and enters them anew in its RECORD.
Invariant: what is left depends on the lock files alone, so the same commit gives the same file.

Usage: python scripts/clean_sbom.py FILE...      The files are replaced: wheels, and JSON.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

#: How Cargo names a package from a registry, and one from a folder.
_FROM_REGISTRY = re.compile(r"^registry\+[^#]*#")
_FROM_FOLDER = re.compile(r"^path\+file://[^#]*/([^/#]+)#")
_IN_WHEEL = re.compile(r"^[^/]+\.dist-info/sboms/[^/]+\.json$")
_RECORD = re.compile(r"^[^/]+\.dist-info/RECORD$")
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


def clean_wheel(path: Path) -> None:
    """Replace a wheel by one whose bills of materials are clean; all else stays, with its order, times and modes.

    Args:
        path: A wheel whose RECORD has each of its files.
    """
    with zipfile.ZipFile(path) as archive:
        content = {entry: archive.read(entry) for entry in archive.infolist()}
    bills = {entry: _cleaned_bytes(data) for entry, data in content.items() if _IN_WHEEL.match(entry.filename)}
    (record,) = (entry for entry in content if _RECORD.match(entry.filename))
    recorded = _recorded(content[record], {entry.filename: data for entry, data in bills.items()})
    content |= bills | {record: recorded}
    new = path.with_name(f"{path.name}.new")
    with zipfile.ZipFile(new, "w") as archive:
        for entry, data in content.items():
            archive.writestr(entry, data)
    new.chmod(path.stat().st_mode)
    new.replace(path)


def _recorded(record: bytes, changed: dict[str, bytes]) -> bytes:
    """Give the text of a RECORD with the hashes and sizes of the files that have changed.

    Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    rows = list(csv.reader(io.StringIO(record.decode("utf-8"))))
    for row in rows:
        if (data := changed.get(row[0])) is not None:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            row[1:] = [f"sha256={digest}", str(len(data))]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().encode("utf-8")


def _cleaned_bytes(text: bytes) -> bytes:
    return (json.dumps(cleaned(json.loads(text)), indent=2, sort_keys=True) + "\n").encode("utf-8")


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
        if path.suffix == ".whl":
            clean_wheel(path)
        else:
            path.write_bytes(_cleaned_bytes(path.read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
