"""The bills of materials of a release name what is in the lock files, and nothing of where they were made."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.clean_sbom import cleaned

ROOT = Path(__file__).parents[2]
#: As maturin writes it for the crate.
OF_CRATE = {
    "serialNumber": "urn:uuid:c840d96b-01d2-49d6-8948-b42c20cc0920",
    "metadata": {
        "timestamp": "2026-11-30T05:27:10.369237521Z",
        "component": {
            "bom-ref": "path+file:///srv/build/engines/rhai-py#0.1.0",
            "name": "rhai-py",
            "purl": "pkg:cargo/rhai-py@0.1.0?download_url=file://.",
            "components": [{"bom-ref": "path+file:///srv/build/engines/rhai-py#0.1.0 bin-target-0", "name": "_rhai"}],
        },
    },
    "components": [{"bom-ref": "registry+https://index.example.org/crates#ahash@0.8.12", "name": "ahash"}],
    "dependencies": [
        {
            "ref": "path+file:///srv/build/engines/rhai-py#0.1.0",
            "dependsOn": ["registry+https://index.example.org/crates#ahash@0.8.12"],
        }
    ],
}


@pytest.fixture(scope="module")
def of_python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Make the one of Python as scripts/release does."""
    commands = (ROOT / "scripts/release").read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^\.venv/bin/cyclonedx-py (.*)$", commands, re.MULTILINE)
    path = tmp_path_factory.mktemp("sbom") / "bom.json"
    words = [str(path) if "cdx.json" in word else word for word in line.split()]
    tool = Path(sys.executable).parent / "cyclonedx-py"
    subprocess.run([tool, *words], cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, ROOT / "scripts/clean_sbom.py", path], check=True)
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


def test_every_locked_package_is_there_with_its_version_and_hashes(of_python: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))

    assert {one["name"]: one["version"] for one in of_python["components"]} == locked
    hashes = {one["content"] for component in of_python["components"] for one in component["hashes"]}
    assert hashes == set(re.findall(r"--hash=sha256:(\w+)", lock))


def test_it_names_no_index_of_packages_no_folder_and_no_time(of_python: dict[str, Any]) -> None:
    told = "\n".join(texts(of_python))

    assert of_python["metadata"]["component"]["name"] == "hero-runtime"
    assert re.findall(r"/simple/|file:|requirements line|(?:^|\s)/\w+/\w+", told, re.MULTILINE) == []
    assert str(ROOT) not in told
    assert {"serialNumber", "timestamp"}.isdisjoint({*of_python, *of_python["metadata"]})


def test_that_of_the_crate_keeps_who_depends_on_whom() -> None:
    crate, ahash = "cargo:rhai-py#0.1.0", "cargo:ahash@0.8.12"

    assert cleaned(OF_CRATE) == {
        "metadata": {
            "component": {
                "bom-ref": crate,
                "name": "rhai-py",
                "purl": "pkg:cargo/rhai-py@0.1.0",
                "components": [{"bom-ref": f"{crate} bin-target-0", "name": "_rhai"}],
            }
        },
        "components": [{"bom-ref": ahash, "name": "ahash"}],
        "dependencies": [{"ref": crate, "dependsOn": [ahash]}],
    }


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Path, Path]:
    """Give the wheel that scripts/setup has built, and a copy that is cleaned as scripts/release does it."""
    (built,) = (Path(sys.prefix) / "wheels").glob("rhai_py-*.whl")
    copy = tmp_path / built.name
    shutil.copy(built, copy)
    subprocess.run([sys.executable, ROOT / "scripts/clean_sbom.py", copy], check=True)
    return built, copy


def test_wheel_carries_a_bill_of_materials_without_where_it_was_made(wheels: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(wheels[1]) as archive:
        (name,) = (name for name in archive.namelist() if "/sboms/" in name)
        document = json.loads(archive.read(name))

    told = "\n".join(texts(document))
    assert {"rhai", "pyo3"} <= {one["name"] for one in document["components"]}
    assert re.findall(r"registry\+|file:|(?:^|\s)/\w+/\w+", told, re.MULTILINE) == []
    assert {"serialNumber", "timestamp"}.isdisjoint({*document, *document["metadata"]})


def test_record_of_a_cleaned_wheel_is_right_and_its_other_files_are_as_before(wheels: tuple[Path, Path]) -> None:
    built, copy = map(zipfile.ZipFile, wheels)
    with built, copy:
        (record,) = (name for name in copy.namelist() if name.endswith(".dist-info/RECORD"))
        recorded = {row[0]: row[1:] for row in csv.reader(copy.read(record).decode().splitlines())}
        for name, row in recorded.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(copy.read(name)).digest()).rstrip(b"=").decode()
            assert row == ([f"sha256={digest}", str(len(copy.read(name)))] if name != record else ["", ""])
        assert list(recorded) == [row[0] for row in csv.reader(built.read(record).decode().splitlines())]

        assert [(one.filename, one.date_time, one.external_attr, one.compress_type) for one in built.infolist()] == [
            (one.filename, one.date_time, one.external_attr, one.compress_type) for one in copy.infolist()
        ]
        changed = {name for name in built.namelist() if built.read(name) != copy.read(name)}
    assert {name.partition("/")[2].partition("/")[0] for name in changed} == {"sboms", "RECORD"}
