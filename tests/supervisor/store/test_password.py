"""The password of the embedded store, and every place where a password of a store must not be."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_config.model.settings import ActorSettings
from hero_ctl.connect import store_url
from hero_job.client.store import Store
from hero_job.operations.operations import Op
from hero_process.secret_arguments import without_secret
from hero_supervisor.process.third_party import without_password
from hero_supervisor.store.embedded import Readiness
from hero_supervisor.store.password import make_password, read_password, tcp_url
from tests.eventually import eventually
from tests.supervisor.conftest import MakeStore, StartSupervisor, command
from tests.valkey_server import free_port


def say(address: str | tuple[str, int], words: bytes) -> bytes:
    """Send one line to a store, as a program without a password does, and give the first bytes of its answer."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.connect(address)
        connection.sendall(words + b"\r\n")
        return connection.recv(64)


def test_with_a_port_every_client_needs_the_password(make_store: MakeStore) -> None:
    port = free_port()
    store = make_store(port=port)
    store.start()

    assert store.probe() is Readiness.READY
    assert say(("127.0.0.1", port), b"PING").startswith(b"-NOAUTH")
    assert say(str(store.folder.socket_path), b"PING").startswith(b"-NOAUTH")
    assert command(store, "PING") == "PONG"
    with Store(tcp_url(port, read_password(store.folder.path))) as client:
        assert client.run(Op(("PING",), lambda answer: answer)) == "PONG"


def test_without_a_port_the_socket_needs_no_password(make_store: MakeStore) -> None:
    store = make_store()
    store.start()

    assert say(str(store.folder.socket_path), b"PING").startswith(b"+PONG")
    assert read_password(store.folder.path) not in store.url


def test_only_its_owner_can_read_the_password_and_it_stays_the_same(make_store: MakeStore) -> None:
    first, second = make_store(port=free_port()), make_store(port=free_port())
    first.start()
    password = read_password(first.folder.path)
    for name in ("password", "valkey.conf"):
        assert (first.folder.path / name).stat().st_mode & 0o777 == 0o600
    first.stop()
    second.start()

    assert read_password(second.folder.path) == password
    assert len(password) >= 40
    assert password in second.url
    assert password not in second.shown
    assert store_url(None, second.folder.path) == second.url


def test_config_that_an_older_version_left_readable_becomes_private(make_store: MakeStore) -> None:
    store = make_store(port=free_port())
    store.folder.path.mkdir()
    store.folder.config_path.write_text("port 0\n")
    store.folder.config_path.chmod(0o644)
    store.start()

    assert store.folder.config_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["open to others", "empty", "a config directive"])
def test_password_that_others_could_read_or_that_is_damaged_is_replaced(tmp_path: Path, damage: str) -> None:
    first = make_password(tmp_path)
    file = tmp_path / "password"
    if damage == "open to others":
        file.chmod(0o644)
    else:
        file.write_text("" if damage == "empty" else f"{first}\nrename-command CONFIG x")

    second = make_password(tmp_path)

    assert second not in ("", first)
    assert (file.stat().st_mode & 0o777, read_password(tmp_path)) == (0o600, second)


def test_password_of_another_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x" * 43)
    (tmp_path / "password").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        make_password(tmp_path)


def arguments_of_everything(pid: int) -> str:
    """Give the command lines of a process and all its descendants, as every user of the machine sees them."""
    found = []
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            found.append(Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except FileNotFoundError:
            continue
    return "\n".join(found)


def test_nothing_that_a_service_starts_has_the_password_in_its_arguments_nor_does_the_log(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    config = f"""
[embedded]
port = {free_port()}
[rpc]
unix_socket = "hero.ipc"
[supervisor]
log_level = "debug"
[[actors]]
type = "sal"
[[actors]]
type = "osis"
name = "third"
command = ["/bin/sh", "-c", 'printf %s "$HERO_REDIS_URL" > seen; sleep 600; true', "{{redis_url}}"]
"""
    supervisor = start_supervisor(config)
    supervisor.wait_ready()
    password = read_password(tmp_path / ".hero/store")
    eventually(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text(), what="third")

    shown = arguments_of_everything(supervisor.process.pid)
    show = [sys.executable, "-m", "hero_supervisor.cli", "config"]

    def call(*words: str) -> str:
        done = subprocess.run([*show, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    url = call("store-url", "--config", "hero.toml").strip()
    with Store(url) as client:
        keys: list[str] = client.run(Op(("KEYS", "*"), lambda answer: answer))
        stored = [client.run(Op(("DUMP", key), repr)) for key in keys]
    assert (tmp_path / "seen").read_text() == store_url(None, tmp_path / ".hero/store")
    assert "valkey.sock" in shown
    assert url.startswith("redis://:")
    assert stored
    told: dict[str, Any] = {"arguments": shown, "log": supervisor.log_text(), "store": "".join(stored)}
    told |= {"show": call("show", "--config", "hero.toml"), "check": call("check", "hero.toml")}
    assert [place for place, text in told.items() if password in text] == []
    assert password in url


def test_password_in_the_arguments_of_the_service_is_moved_to_its_environment(
    start_supervisor: StartSupervisor,
) -> None:
    flags = ("--redis-url", "redis://:hunter2pw@127.0.0.1:1/", "--log-level", "debug")
    supervisor = start_supervisor(flags=flags)
    supervisor.wait_event("child.started")

    shown = arguments_of_everything(supervisor.process.pid)

    assert "--log-level debug" in shown
    assert "hunter2pw" not in shown
    assert "hunter2pw" not in supervisor.log_text()


@pytest.mark.parametrize(
    ("given", "left", "url"),
    [
        (["x", "--redis-url", "redis://:p@h/", "y"], ["x", "y"], "redis://:p@h/"),
        (["--redis-url=rediss://u:p@h:1/2"], [], "rediss://u:p@h:1/2"),
        (["--set", "store.redis_url=redis://:p@h/"], [], "redis://:p@h/"),
        (["--set=store.redis_url=redis://:p@h/", "z"], ["z"], "redis://:p@h/"),
        (["--redis-url", "redis+sentinel://h/s?sentinel_password=p"], [], "redis+sentinel://h/s?sentinel_password=p"),
        (["--redis-url", "redis://h:6379/"], ["--redis-url", "redis://h:6379/"], None),
        (["--redis-url", "redis://user@h/"], ["--redis-url", "redis://user@h/"], None),
        (["--set", "jobs.result_ttl_s=1", "--redis-url"], ["--set", "jobs.result_ttl_s=1", "--redis-url"], None),
    ],
)
def test_only_an_option_with_a_password_is_taken_out(given: list[str], left: list[str], url: str | None) -> None:
    assert without_secret(given, "--redis-url", "store.redis_url") == (left, url)


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("redis://:p@h:1/2", "redis://h:1/2"),
        ("rediss://u:p@h/?ssl_cert_reqs=none", "rediss://u@h/?ssl_cert_reqs=none"),
        ("unix://:p@/run/a%20b.sock?db=2", "unix:///run/a%20b.sock?db=2"),
        ("redis+sentinel://:p@a:1,b:2/main/0?sentinel_password=q", "redis+sentinel://a:1,b:2/main/0"),
        ("redis+cluster://u:p%40x@a,b", "redis+cluster://u@a,b"),
        ("redis://h:6379/", "redis://h:6379/"),
    ],
)
def test_url_in_the_arguments_of_a_third_party_program_has_no_password(url: str, without: str) -> None:
    assert without_password(url) == without


@pytest.mark.parametrize("url", ["redis://:p@h/", "rediss://u:p@h", "redis+sentinel://h/s?sentinel_password=p"])
def test_command_with_the_password_of_a_store_is_refused_and_the_message_says_what_to_use(url: str) -> None:
    with pytest.raises(ValueError, match=re.escape("read HERO_REDIS_URL from its environment")):
        ActorSettings(type="sal", command=("/bin/true", f"--url={url}"))
