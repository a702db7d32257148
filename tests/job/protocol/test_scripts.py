"""How the Lua scripts are loaded: one version for the life of a process, and no work for those that are never sent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import hero_job
from hero_job.protocol import lua

PROGRAM = """
import shutil, sys
from hero_job.protocol import lua
before = lua._with_constants.cache_info().currsize
shutil.rmtree({folder!r})
print(before, *(script.sha for script in lua.ALL))
"""


def test_a_process_keeps_the_scripts_of_its_start_and_puts_none_together_before_it_is_sent(tmp_path: Path) -> None:
    shutil.copytree(Path(hero_job.__file__).parent, tmp_path / "hero_job", ignore=shutil.ignore_patterns("__pycache__"))
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})" + PROGRAM.format(folder=str(tmp_path / "hero_job"))

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    put_together, *digests = done.stdout.split()
    assert put_together == "0"
    assert digests == [script.sha for script in lua.ALL]


def test_a_script_of_given_text_has_the_digest_that_the_server_computes() -> None:
    # Source: the digest of `return 1` in the documentation of EVALSHA clients.
    assert lua.LuaScript("one", "return 1").sha == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
