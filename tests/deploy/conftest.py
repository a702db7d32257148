"""What the checks of deployable files share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Carries the schemas of Kubernetes, and brings PyYAML and jsonschema along.
VALIDATOR = "kubernetes-validate==1.37.0"


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away environment with the validator; gives its folder of programs."""
    folder = tmp_path_factory.mktemp("validator")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [
        str(folder / "bin" / "pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        VALIDATOR,
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{VALIDATOR} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "bin"
