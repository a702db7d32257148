"""Compiles the packages with probes, and takes the measurement away again: `python -m tests.branches.prepare`.

scripts/test is the caller. Without an argument it makes the folder `.venv/branches` and the `.pth` file by which each
Python process of the environment loads the probed modules; with `end` it removes the `.pth` file.
"""

from __future__ import annotations

import json
import marshal
import shutil
import sys
import sysconfig
from pathlib import Path

from tests.branches.arms import write_probes

ROOT = Path(__file__).resolve().parents[2]

#: The Python packages, each with the folder that Python finds it in.
PACKAGES = [
    ROOT / name
    for name in (
        "config/hero_config",
        "engines/hero_engine",
        "actors/hero_job",
        "actors/hero_process",
        "actors/hero_actor",
        "supervisor/hero_client",
        "supervisor/hero_supervisor",
        "supervisor/hero_ctl",
    )
]

#: Modules that cannot be measured, and why.
NOT_MEASURED = {
    "engines/hero_engine/host/commands/keeper.py": "starts with -S as a script, before which nothing can be loaded",
    "engines/hero_engine/v/launcher.py": "the same",
}

#: What a run of the tests is measured with and leaves behind.
FOLDER = Path(sys.prefix) / "branches"

_PTH = Path(sysconfig.get_path("purelib")) / "hero_branches.pth"


def compile_with_probes(folder: Path, packages: list[Path], *, calls: bool = False) -> None:
    """Compile every module of some packages with probes.

    Args:
        folder: Gets the code, the arms of the branches, the bytes that the probes write to, and that of `start.py`.
        packages: The folders of the packages. Each lies in the folder that Python finds it in.
        calls: Probe the beginning of each function too.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "code").mkdir(parents=True)
    modules: dict[str, tuple[str, int]] = {}
    found: dict[str, list[tuple[int, str]]] = {}
    total = 0
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            shown = str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
            if shown in NOT_MEASURED:
                continue
            tree, arms = write_probes(path.read_text(), total, calls=calls)
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
            (folder / "code" / name).write_bytes(marshal.dumps(compile(tree, str(path), "exec", dont_inherit=True)))
            modules[name] = (str(path), path.stat().st_mtime_ns)
            found[shown] = [(arm.line, arm.way) for arm in arms]
            total += len(arms)
    (folder / "modules").write_bytes(marshal.dumps(modules))
    (folder / "arms.json").write_text(json.dumps(found))
    (folder / "taken").write_bytes(bytes(max(1, total)))  # an empty file cannot be mapped
    # Programs that the tests run as another user write to it as well.
    (folder / "taken").chmod(0o666)
    start = compile(
        Path(__file__).with_name("start.py").read_text(), str(folder / "start.py"), "exec", dont_inherit=True
    )
    (folder / "start").write_bytes(marshal.dumps(start))


def line_to_start(folder: Path) -> str:
    """Return the line of a `.pth` file, or of a program, by which a process loads the probed modules."""
    return (
        f"import marshal; p = {str(folder / 'start')!r}; f = open(p, 'rb', 0); c = f.read(); f.close(); "
        "exec(marshal.loads(c), {'__name__': 'branch probes', '__file__': p})\n"
    )


def end() -> None:
    """Let processes that start from now on load the packages as they are."""
    _PTH.unlink(missing_ok=True)


def begin(*, calls: bool = False) -> None:
    """Let processes that start from now on load the packages with probes.

    Args:
        calls: Probe the beginning of each function too.
    """
    end()
    compile_with_probes(FOLDER, PACKAGES, calls=calls)
    _PTH.write_text(line_to_start(FOLDER))


if __name__ == "__main__":
    if sys.argv[1:] == ["end"]:
        end()
    else:
        begin()
