"""The validator of Kubernetes manifests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.environments import make_environment, pip_install

#: Contains the schemas of Kubernetes.
VALIDATOR = "kubernetes-validate==1.37.0"


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the validator into an environment of its own, and give its folder of programs."""
    folder = tmp_path_factory.mktemp("validator")
    make_environment(folder)
    pip = pip_install(folder, "--retries", "5", VALIDATOR)
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{VALIDATOR} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "bin"
