"""The container file is checked as text, and as an image where a program can build one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import uuid
from pathlib import Path

import pytest

from hero_config.layers.load import load
from hero_config.model.settings import Settings
from hero_supervisor.rpc.unix import client as unix_client
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "container" / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """Give the name and the rest of each instruction, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def bases() -> list[tuple[str, str]]:
    """Give the image of each FROM that does not name a stage, and the build argument that holds its digest."""
    stages = {rest.split(" AS ")[1] for name, rest in instructions() if name == "FROM" and " AS " in rest}
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    found = [image.partition("@") for image in images if image not in stages]
    return [(image, digest.removeprefix("${").removesuffix("}")) for image, _, digest in found]


def test_base_images_are_plain_names_with_a_version_and_no_registry() -> None:
    assert bases()
    assert [image for image, _ in bases() if not re.fullmatch(r"[a-z]+:[\w.-]*\d[\w.-]*", image)] == []


def test_every_base_image_needs_a_digest_that_has_no_default() -> None:
    arguments = {rest for name, rest in instructions() if name == "ARG"}

    # An empty digest leaves "image:tag@", which no program accepts as a name.
    assert {argument for _, argument in bases()} == arguments == {"PYTHON_DIGEST"}
    described = (ROOT / "docs/how-to/containers.md").read_text()
    assert all(f"--build-arg {argument}=sha256:" in described for argument in arguments)
    assert all(f"inspect {image} " in described for image, _ in bases())


def test_labels_tell_the_truth() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', last("LABEL")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert {name: labels[name] for name in ("title", "version", "licenses")} == {
        "title": project["name"], "version": project["version"], "licenses": project["license"]
    }  # fmt: skip
    image, argument = bases()[-1]
    assert (labels["base.name"], labels["base.digest"]) == (image, f"${{{argument}}}")
    # Inside of a stage, an argument is empty until it is named there.
    names = [name if name != "ARG" else f"ARG {rest}" for name, rest in instructions()]
    start = len(names) - names[::-1].index("FROM")
    assert f"ARG {argument}" in names[start : names.index("LABEL")]


def test_copied_files_exist_and_are_all_that_the_wheel_is_built_from() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    sources = {source for group in copied for source in group}
    ignored = (FILE.parent / "Containerfile.dockerignore").read_text().split()

    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert {f"!{source.split('/')[0]}" for source in sources} <= set(ignored)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "engines/rhai-py/Cargo.lock"]
    needed.append(".cargo/config.toml")  # without it the script engine has the weaker bound of memory
    needed += project["project"]["license-files"]
    assert [path for path in needed if not any(Path(path).is_relative_to(source) for source in sources)] == []


def test_image_runs_as_an_ordinary_user_and_its_first_process_reaps_orphans() -> None:
    assert int(last("USER").partition(":")[0]) > 0
    assert json.loads(last("ENTRYPOINT")) == ["tini", "--"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(last("CMD"))[0] in scripts


def test_health_check_uses_the_default_socket_in_the_working_folder() -> None:
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])

    options = unix_client._parser().parse_args(command[1:])
    assert options.socket == f"{last('WORKDIR')}/{Settings().rpc.unix_socket}"
    assert load(environ=dict(pair.split("=") for pair in last("ENV").split())).supervisor.log_format == "json"


def builder() -> tuple[str, str]:
    """Give a program that builds images here, or say why there is none."""
    reasons = []
    for program in ("docker", "podman", "buildah"):
        if shutil.which(program) is None:
            continue
        told = subprocess.run([program, "info"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return program, ""
        reasons.append(f"{program}: {(told.stderr or told.stdout).strip().splitlines()[-1]}")
    return "", "; ".join(reasons) or "no docker, podman or buildah"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_image_is_built_and_runs_a_job() -> None:
    program, why_not = builder()
    if not program:
        pytest.skip(f"nothing builds images here: {why_not}")
    digests = []
    for base, argument in bases():
        pulled = subprocess.run([program, "pull", base], capture_output=True, text=True, check=False)
        if pulled.returncode:
            pytest.skip(f"{program} cannot get the base image {base}: {pulled.stderr.strip().splitlines()[-1:]}")
        named = [program, "inspect", "--type", "image", base]
        (found,) = json.loads(subprocess.run(named, capture_output=True, text=True, check=True).stdout)
        digest = (found.get("RepoDigests") or [f"@{found.get('FromImageDigest')}"])[0].rpartition("@")[2]
        digests += ["--build-arg", f"{argument}={digest}"]
    tag = f"hero-runtime:test-{uuid.uuid4().hex[:8]}"
    built = subprocess.run(
        [program, "build", "-f", str(FILE), "-t", tag, *digests, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    if program == "buildah":  # it builds images but runs no containers
        subprocess.run([program, "rmi", "-f", tag], capture_output=True, check=False)
        return
    name = tag.replace(":", "-")
    try:
        subprocess.run([program, "run", "-d", "--name", name, tag], check=True, capture_output=True)
        job = [program, "exec", name, "heroctl", "run", "40 + 2", "--wait", "10"]
        eventually(
            lambda: subprocess.run(job, capture_output=True, text=True, check=False).stdout == "42\n",
            every_s=0.5,
            what="a job in the container",
        )
        stopped = subprocess.run([program, "stop", "-t", "60", name], capture_output=True, check=False)
        assert stopped.returncode == 0
        code = subprocess.run(
            [program, "inspect", "-f", "{{.State.ExitCode}}", name], capture_output=True, text=True, check=True
        )
        assert code.stdout.strip() == "0"
    finally:
        subprocess.run([program, "rm", "-f", name], capture_output=True, check=False)
        subprocess.run([program, "rmi", "-f", tag], capture_output=True, check=False)
