"""Finding an engine by its name, and the errors if that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hero_engine.errors import EngineUnavailable
from hero_engine.registry import load_engine

MODULES = {
    "good_engine": "class Engine:\n    name = 'good'\n    version = '1'\ndef make():\n    return Engine()\n",
    "bad_engine": "raise OSError('no disk')\n",
    "odd_engine": "thing = 3\ndef fails():\n    raise LookupError('lost')\n",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the modules on the path, and a distribution that offers one of them."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    info = tmp_path / "good_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: good-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hero.engines]\ngood = good_engine:make\nbad = bad_engine:make\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_builtin_engine_is_found_by_its_name() -> None:
    assert load_engine("rhai").name == "rhai"


def test_engine_is_found_by_module_and_factory() -> None:
    assert load_engine("good_engine:make").name == "good"


def test_engine_is_found_by_the_entry_point_of_an_installed_distribution() -> None:
    assert load_engine("good").name == "good"


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("steam", "good, heroscript, rhai, v"),
        ("no_such_module:make", "No module named 'no_such_module'"),
        ("good_engine:nothing", "no factory 'nothing'"),
        ("odd_engine:thing", "no factory 'thing'"),
        ("odd_engine:fails", "LookupError: lost"),
        ("bad_engine:make", "no disk"),
        ("bad", "no disk"),
        (":", "module"),
    ],
)
def test_unknown_or_broken_engine_is_unavailable_and_says_why(name: str, named: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        load_engine(name)

    assert caught.value.name == name
    assert caught.value.remedy
    assert named in str(caught.value)


def test_missing_wheel_is_unavailable_and_says_how_to_install_it() -> None:
    program = (
        "import sys; sys.modules['rhai'] = None\n"
        "from hero_engine.registry import load_engine\n"
        "from hero_engine.errors import EngineUnavailable\n"
        "try: load_engine('rhai')\n"
        "except EngineUnavailable as e: print(e)\n"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert "scripts/setup" in said
