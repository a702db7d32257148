"""`import`: modules in a folder that scripts cannot leave, modules in memory, and turning it off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import rhai

FILES = {
    "a.rhai": "export const X = 5; fn one() { 1 + NAME }",
    "sub/deep.rhai": "fn fail() { throw 9 }",
    "loop.rhai": 'import "loop" as l;',
    "left.rhai": 'import "right" as r; fn f() { 1 }',
    "right.rhai": 'import "left" as l; fn f() { 1 }',
    "broken.rhai": "let x = ;",
    "nested.rhai": 'import "a" as a; fn f() { a::one() }',
    "endless.rhai": "loop {}",
    "other.txt": "fn f() { 1 }",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of modules. Beside it is a secret file, and links in the folder lead to that file."""
    root = tmp_path / "root"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "secret.rhai").write_text("fn f() { 1 }")
    (root / "link.rhai").symlink_to(tmp_path / "secret.rhai")
    (root / "inside.rhai").symlink_to(root / "a.rhai")
    (root / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.rhai")
    (root / "folder.rhai").mkdir()
    return root


@pytest.fixture
def modular(folder: Path) -> rhai.Engine:
    """An engine that imports from `folder`."""
    return rhai.Engine(modules=rhai.FolderModules(folder), limits=rhai.Limits(timeout_s=5))


def test_a_script_uses_the_functions_and_exports_of_a_module(modular: rhai.Engine) -> None:
    assert modular.eval('import "a" as a; a::one() + a::X', constants={"NAME": 36}) == 42


def test_a_script_may_import_a_module_twice(modular: rhai.Engine) -> None:
    script = 'import "a" as a; import "a" as b; a::X + b::X'
    assert modular.eval(script) == 10


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "./a",
        "a//b",
        "",
        "link",
        "inside",
        "up/secret",
        "pipe",
        "folder",
        "sub\\\\deep",
        "a\\x00b",
    ],
)
def test_a_name_that_leaves_the_folder_or_is_not_a_plain_file_is_refused(modular: rhai.Engine, name: str) -> None:
    with pytest.raises(rhai.RhaiModuleError):
        modular.eval(f'import "{name}" as m;')


def test_the_error_names_the_module_that_does_not_exist(modular: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiModuleError) as caught:
        modular.eval('let x = 1;\nimport "other" as m;')

    assert (caught.value.kind, caught.value.line) == ("ErrorModuleNotFound", 2)
    assert "other" in caught.value.message


@pytest.mark.parametrize(("name", "circle"), [("loop", "loop -> loop"), ("left", "left -> right -> left")])
def test_modules_that_import_each_other_are_an_error(modular: rhai.Engine, name: str, circle: str) -> None:
    with pytest.raises(rhai.RhaiModuleError, match=circle):
        modular.eval(f'import "{name}" as m;')


def test_an_error_in_a_module_names_the_module(modular: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiModuleError) as broken:
        modular.eval('import "broken" as m;')
    with pytest.raises(rhai.RhaiRuntimeError) as failed:
        modular.eval('import "sub/deep" as m; m::fail()')

    assert (broken.value.source, broken.value.line) == ("broken", 1)
    assert (failed.value.source, failed.value.function, failed.value.value) == ("sub/deep", "fail", 9)


def test_limits_hold_in_modules(modular: rhai.Engine) -> None:
    with pytest.raises(rhai.RhaiTimeoutError):
        modular.eval('import "endless" as m;', limits=rhai.Limits(timeout_s=0.05))


def test_a_module_is_read_again_when_its_file_changes(modular: rhai.Engine, folder: Path) -> None:
    assert modular.eval('import "a" as a; a::X') == 5
    (folder / "new.rhai").write_text("export const X = 600;")
    (folder / "new.rhai").rename(folder / "a.rhai")

    assert modular.eval('import "a" as a; a::X') == 600


def test_modules_may_be_texts_in_memory() -> None:
    engine = rhai.Engine(modules=rhai.MemoryModules({"m": "fn f() { 3 }", "me": 'import "me" as me;'}))

    assert engine.eval('import "m" as m; m::f()') == 3
    with pytest.raises(rhai.RhaiModuleError, match="me -> me"):
        engine.eval('import "me" as me;')
    with pytest.raises(rhai.RhaiModuleError):
        engine.eval('import "other" as o;')


def test_an_engine_without_modules_cannot_import(engine: rhai.Engine, folder: Path) -> None:
    with pytest.raises(rhai.RhaiModuleError):
        engine.eval(f'import "{folder}/a" as a;')


@pytest.mark.parametrize("script", ["eval(`1`)", 'fn f() { eval("1") }', 'let e = Fn("eval"); e.call("1")'])
def test_eval_can_be_turned_off(script: str) -> None:
    with pytest.raises(rhai.RhaiError):
        rhai.Engine(allow_eval=False).eval(script)


def test_import_can_be_turned_off() -> None:
    modules = rhai.MemoryModules({"m": "fn f() { 3 }"})
    engine = rhai.Engine(modules=modules, allow_import=False)
    for script in ('import "m" as m;', """eval(`import "m" as m;`)"""):
        with pytest.raises(rhai.RhaiParseError):
            engine.eval(script)


def test_an_object_that_is_not_a_module_source_is_refused(tmp_path: Path) -> None:
    bad: Any = "here"
    with pytest.raises(TypeError, match="FolderModules"):
        rhai.Engine(modules=bad)
    with pytest.raises(OSError, match="nowhere"):
        rhai.FolderModules(tmp_path / "nowhere")
