"""`config/compose.yaml` is consistent, and true about our programs, our image and the manifests for Kubernetes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hero_actor import cli as actor_cli
from hero_config.layers.load import load
from hero_config.model.settings import JobsSettings, Settings
from hero_config.report.use_file import DEFAULT_PORT, DeploymentUse, UseChoices, use_file
from hero_ctl.commands.install import AFTER_SHUTDOWN_S
from hero_supervisor import cli as supervisor_cli
from tests.deploy import strict_yaml
from tests.deploy.test_container import FILE as CONTAINERFILE
from tests.deploy.test_container import bases, last
from tests.deploy.test_k8s import named

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "compose.yaml"
CONFIG = ROOT / "config" / "container" / "hero.toml"
COMPOSE = strict_yaml.load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name != "redis"}
ACTORS = {name: service for name, service in OURS.items() if name != "supervisor"}
#: The keys of the Compose specification that we use, for all services.
KEYS = {
    "build", "cap_drop", "command", "configs", "depends_on", "environment", "healthcheck", "image", "networks", "ports",
    "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s", text)
    assert found is not None, text
    return int(found[1])


@pytest.fixture
def settings() -> Settings:
    """The supervisor's settings as its container has them."""
    environment = SERVICES["supervisor"]["environment"]
    return load(CONFIG, environ={key: re.sub(r"\$\{.*?\}", "x1", text) for key, text in environment.items()})


def test_it_has_the_services_and_the_keys_of_the_specification() -> None:
    assert sorted(SERVICES) == ["actor-python", "actor-sal", "redis", "supervisor"]
    assert {key for service in SERVICES.values() for key in service} <= KEYS
    assert {key for key in COMPOSE if not key.startswith("x-")} == {
        "name",
        "services",
        "configs",
        "networks",
        "volumes",
    }


def test_images_are_built_here_or_named_by_a_digest_that_has_no_default() -> None:
    build = SERVICES["supervisor"]["build"]

    assert (FILE.parent / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]) == CONTAINERFILE
    assert set(build["args"]) == {argument for _, argument in bases()}
    assert all(text.startswith(f"${{{name}:?") for name, text in build["args"].items())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in OURS.values()} == {f"hero-runtime:{version}"}
    assert re.fullmatch(r"redis:[\w.-]*\d[\w.-]*@\$\{REDIS_DIGEST:\?.*\}", SERVICES["redis"]["image"])
    head = FILE.read_text().partition("\nname:")[0]
    assert all(f"#   {one}=" in head for one in re.findall(r"\$\{(\w+):\?", FILE.read_text().partition("\nname:")[2]))


def test_everything_that_a_service_names_exists() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert {one["source"] for one in service.get("configs", [])} <= COMPOSE["configs"].keys()
        assert {one.partition(":")[0] for one in service.get("volumes", [])} <= COMPOSE["volumes"].keys()
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        assert all("healthcheck" in SERVICES[other] for other in service.get("depends_on", {}))


def test_commands_and_environment_are_those_of_the_programs() -> None:
    for name, service in OURS.items():
        program, *flags = service["command"]
        parser = {"hero-supervisor": supervisor_cli, "hero-actor": actor_cli}[program]._parser()
        parsed = parser.parse_args(flags)
        expected = "HERO_STORE__REDIS_URL" if name == "supervisor" else "HERO_REDIS_URL"
        assert list(service["environment"]) == [expected]
        assert service["environment"][expected].endswith("@redis:6379/0")
        if name == "supervisor":
            assert [one["target"] for one in service["configs"]] == [str(parsed.config)]
        else:
            assert name == f"actor-{parsed.type}"
    # The same as the programs of Kubernetes.
    for name, service in ACTORS.items():
        (container,) = named("Deployment", f"hero-{name}")["spec"]["template"]["spec"]["containers"]
        assert service["command"] == container["args"]
        probe = container["readinessProbe"]["exec"]["command"][-1]
        assert service["healthcheck"]["test"] == ["CMD-SHELL", probe.replace("$(", "$$(")]


def test_the_config_is_that_of_heroctl_init(settings: Settings) -> None:
    choices = UseChoices(use=DeploymentUse.CONTAINER, port=DEFAULT_PORT[DeploymentUse.CONTAINER])

    assert (FILE.parent / COMPOSE["configs"]["hero"]["file"]) == CONFIG
    assert CONFIG.read_text() == use_file(choices).replace("{file}", str(CONFIG.relative_to(ROOT)))
    assert settings.store.redis_url == "redis://:x1@redis:6379/0"


def test_only_this_machine_reaches_the_port_and_nobody_redis(settings: Settings) -> None:
    assert SERVICES["supervisor"]["ports"] == [f"127.0.0.1:{settings.rpc.port}:{settings.rpc.port}"]
    assert settings.rpc.auth_required
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["supervisor"]
    assert SERVICES["redis"]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"] == {"internal": True}


def test_the_health_check_of_the_image_finds_the_socket(settings: Settings) -> None:
    assert "healthcheck" not in SERVICES["supervisor"]
    assert f"{last('WORKDIR')}/{settings.rpc.unix_socket}" in last("HEALTHCHECK")
    (user, _, group) = last("USER").partition(":")
    for service in OURS.values():
        assert service["read_only"] is True
        assert f"{last('WORKDIR')}:uid={user},gid={group},mode=0700" in service["tmpfs"]


def test_containers_get_the_time_that_a_drain_takes(settings: Settings) -> None:
    assert seconds(SERVICES["supervisor"]["stop_grace_period"]) >= settings.supervisor.shutdown_s + AFTER_SHUTDOWN_S
    for service in ACTORS.values():
        assert seconds(service["stop_grace_period"]) > JobsSettings().default_timeout_s


def test_redis_keeps_every_job() -> None:
    words = SERVICES["redis"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))

    assert words[0] == "redis-server"
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")
    assert options["--requirepass"].startswith("${REDIS_PASSWORD:?")
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
