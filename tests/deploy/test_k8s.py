"""The Kubernetes manifests are valid by the schemas, consistent with each other, and true about our programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_actor import cli as actor_cli
from hero_config.layers.load import load
from hero_config.model.settings import JobsSettings, Settings
from hero_ctl.commands.install import AFTER_SHUTDOWN_S
from hero_job.protocol.keys import Keys
from hero_supervisor import cli as supervisor_cli
from tests.ctl.conftest import environment
from tests.deploy import strict_yaml
from tests.eventually import eventually
from tests.supervisor.rpc.tcp_client import curl
from tests.valkey_server import ValkeyServer, free_port

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "k8s"
KUSTOMIZATION = strict_yaml.load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    document for name in KUSTOMIZATION["resources"] for document in strict_yaml.load_all((FOLDER / name).read_text())
]
URL = "redis://127.0.0.1:1/"
#: Seconds after which a process counts as one that does not end.
LIMIT_S = 300

# The part of keda.sh/v1alpha1 that we use: key -> type of the value, a nested map, or a list of one kind of map.
SCALED_OBJECT = {
    "scaleTargetRef": {"name": str},
    "pollingInterval": int,
    "cooldownPeriod": int,
    "minReplicaCount": int,
    "maxReplicaCount": int,
    "triggers": [{"type": str, "authenticationRef": {"name": str}, "metadata": {"listName": str, "listLength": str}}],
}
TRIGGER_AUTHENTICATION = {"secretTargetRef": [{"parameter": str, "name": str, "key": str}]}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in OBJECTS if found["kind"] == kind]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (found for found in of_kind(kind) if found["metadata"]["name"] == name)
    return found


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, pod and container of each Deployment; each has one container."""
    for deployment in of_kind("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield deployment["metadata"]["name"], pod, container


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The supervisor's settings as its pod has them."""
    (env,) = (container["env"] for name, _, container in pods() if name == "hero-supervisor")
    (tmp_path / "hero.toml").write_text(named("ConfigMap", "hero-config")["data"]["hero.toml"])
    return load(tmp_path / "hero.toml", environ={variable["name"]: URL for variable in env})


def has_shape(value: object, shape: object) -> bool:
    if isinstance(shape, dict):
        return (
            isinstance(value, dict)
            and value.keys() <= shape.keys()
            and all(has_shape(value[k], shape[k]) for k in value)
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(has_shape(item, shape[0]) for item in value)
    assert isinstance(shape, type)
    return isinstance(value, shape)


def test_every_file_is_applied() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(KUSTOMIZATION["resources"]) == files


def test_schemas_of_kubernetes_accept_the_manifests(validator: Path) -> None:
    ours = [name for name in KUSTOMIZATION["resources"] if name != "keda.yaml"]
    for version in ("1.37", "1.30"):
        command = [
            str(validator / "kubernetes-validate"),
            "--strict",
            "-k",
            version,
            *(str(FOLDER / name) for name in ours),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl, which has kustomize built in")
def test_kustomize_builds_them() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    built = [line for line in done.stdout.splitlines() if line.startswith("kind: ")]
    assert len(built) == len(OBJECTS)
    assert done.stdout.count("image: hero-runtime:") == len(of_kind("Deployment"))


def test_selectors_match_exactly_the_pods_that_they_are_for() -> None:
    labels = {d["metadata"]["name"]: d["spec"]["template"]["metadata"]["labels"] for d in of_kind("Deployment")}
    for deployment in of_kind("Deployment"):
        name = deployment["metadata"]["name"]
        selected = deployment["spec"]["selector"]["matchLabels"].items()
        assert [other for other in labels if selected <= labels[other].items()] == [name]
    for budget in of_kind("PodDisruptionBudget"):
        selected = budget["spec"]["selector"]["matchLabels"].items()
        assert [other for other in labels if selected <= labels[other].items()] == [budget["metadata"]["name"]]
    assert {budget["metadata"]["name"] for budget in of_kind("PodDisruptionBudget")} == labels.keys()
    (service,) = of_kind("Service")
    assert service["spec"]["selector"].items() <= labels["hero-supervisor"].items()


def test_ports_volumes_and_references_exist() -> None:
    (service,) = of_kind("Service")
    for name, pod, container in pods():
        ports = {port["name"] for port in container.get("ports", [])}
        probed = {
            probe["httpGet"]["port"] for key, probe in container.items() if key.endswith("Probe") and "httpGet" in probe
        }
        served = {port["targetPort"] for port in service["spec"]["ports"]} if name == "hero-supervisor" else set()
        assert probed | served <= ports
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
        for volume in volumes.values():
            if "configMap" in volume:
                assert "hero.toml" in named("ConfigMap", volume["configMap"]["name"])["data"]
        for variable in container["env"]:
            reference = variable["valueFrom"]["secretKeyRef"]
            assert reference["key"] in named("Secret", reference["name"])["stringData"]


def test_pods_keep_to_the_restricted_profile() -> None:
    for _, pod, container in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_configuration_and_environment_are_real_settings(settings: Settings) -> None:
    (supervisor,) = (container for name, _, container in pods() if name == "hero-supervisor")

    assert settings.store.redis_url == URL
    assert settings.actors == ()
    assert settings.rpc.auth_required  # everything in the cluster can reach it
    assert settings.rpc.port == supervisor["ports"][0]["containerPort"]
    service = named("Service", "hero-supervisor")["metadata"]["name"]
    assert {service, f"{service}.{KUSTOMIZATION['namespace']}.svc"} <= set(settings.rpc.hosts)
    for _, _, container in pods():
        program, *flags = container["args"]
        parser = {"hero-supervisor": supervisor_cli, "hero-actor": actor_cli}[program]._parser()
        parser.parse_args(flags)
        expected = "HERO_STORE__REDIS_URL" if program == "hero-supervisor" else "HERO_REDIS_URL"
        assert [variable["name"] for variable in container["env"]] == [expected]


def test_pods_get_the_time_that_a_drain_takes(settings: Settings) -> None:
    for name, pod, container in pods():
        grace_s = pod["terminationGracePeriodSeconds"]
        if name == "hero-supervisor":
            waits_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            assert grace_s >= waits_s + settings.supervisor.shutdown_s + AFTER_SHUTDOWN_S
        else:
            assert grace_s > JobsSettings().default_timeout_s


def test_actors_are_scaled_by_the_queue_that_they_serve(settings: Settings) -> None:
    namespace = settings.store.namespace
    (authentication,) = of_kind("TriggerAuthentication")
    assert has_shape(authentication["spec"], TRIGGER_AUTHENTICATION)
    for source in authentication["spec"]["secretTargetRef"]:
        assert source["key"] in named("Secret", source["name"])["stringData"]
    for scaled in of_kind("ScaledObject"):
        spec = scaled["spec"]
        assert has_shape(spec, SCALED_OBJECT)
        target = named("Deployment", spec["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"]  # each apply would reset the number that KEDA has set
        (trigger,) = spec["triggers"]
        (container,) = target["spec"]["template"]["spec"]["containers"]
        served = container["args"][container["args"].index("--type") + 1]
        assert (trigger["type"], trigger["authenticationRef"]["name"]) == ("redis", authentication["metadata"]["name"])
        assert trigger["metadata"]["listName"] == Keys(namespace).work(served)
        assert int(trigger["metadata"]["listLength"]) > 0
        assert 0 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    assert {d["metadata"]["name"] for d in of_kind("Deployment") if "replicas" not in d["spec"]} == {
        scaled["spec"]["scaleTargetRef"]["name"] for scaled in of_kind("ScaledObject")
    }
    assert named("Deployment", "hero-actor-osis")["spec"]["replicas"] == 1


def test_secret_gives_keda_the_same_store_as_the_url() -> None:
    secret = named("Secret", "hero-store")["stringData"]

    assert secret["url"] == f"redis://:{secret['password']}@{secret['address']}/0"


def environment_with_programs(url: str) -> dict[str, str]:
    env = environment(url)
    return {**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}


def test_probe_of_an_actor_succeeds_once_it_is_listed(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> None:
    container = named("Deployment", "hero-actor-sal")["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"]["exec"] == container["startupProbe"]["exec"]
    env = {**environment_with_programs(valkey.url), "HERO_NAMESPACE": namespace}

    def probe() -> int:
        return subprocess.run(container["readinessProbe"]["exec"]["command"], env=env, check=False).returncode

    assert probe() != 0
    with (tmp_path / "log").open("wb") as log:
        actor = subprocess.Popen([*container["args"], "--namespace", namespace], env=env, stdout=log, stderr=log)
    try:
        eventually(lambda: probe() == 0, what="the actor is listed")
    finally:
        actor.terminate()
        assert actor.wait(LIMIT_S) == 0
    assert probe() != 0


def test_probes_of_the_supervisor_succeed_on_its_configuration(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    (container,) = (container for name, _, container in pods() if name == "hero-supervisor")
    port = free_port()
    text = named("ConfigMap", "hero-config")["data"]["hero.toml"]
    here = {"/run/hero/hero.ipc": str(tmp_path / "hero.ipc"), "port = 8080": f"port = {port}", "0.0.0.0": "127.0.0.1"}
    for there, replacement in here.items():
        assert there in text
        text = text.replace(there, replacement)
    (tmp_path / "hero.toml").write_text(text)
    env = {**environment_with_programs(""), "HERO_STORE__REDIS_URL": valkey.url, "HERO_STORE__NAMESPACE": namespace}
    with (tmp_path / "log").open("wb") as log:
        command = [container["args"][0], "--config", str(tmp_path / "hero.toml")]
        supervisor = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)
    try:
        path = container["readinessProbe"]["httpGet"]["path"]
        assert path == container["startupProbe"]["httpGet"]["path"]
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: curl(url + path).status == 200, what="ready")
        alive = [here.get(part, part) for part in container["livenessProbe"]["exec"]["command"]]
        assert subprocess.run(alive, env=env, check=False, capture_output=True).returncode == 0
        call = b'{"jsonrpc": "2.0", "id": 1, "method": "list_jobs"}'
        assert curl(url, body=call).status == 401
        assert curl(url + path, "-H", "Host: hero-supervisor.hero.svc").status == 200
        assert curl(url + path, "-H", "Host: elsewhere.example.org").status == 403
    finally:
        supervisor.terminate()
        assert supervisor.wait(LIMIT_S) == 0
