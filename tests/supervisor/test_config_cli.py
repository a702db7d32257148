"""`hero-supervisor config`, and the flags that change settings."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from hero_config.report.schema import schema_text
from tests.eventually import eventually
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.program import run_program

MAIN = """[store]
redis_url = "redis://:geheim@h/"
[[actors]]
type = "sal"
count = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hero.toml").write_text(MAIN)
    (tmp_path / "hero.toml").chmod(0o600)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-more.toml").write_text('[[actors]]\nname = "sal"\nlanes = 3\n')
    return tmp_path


def lines(done: subprocess.CompletedProcess[str], code: int) -> list[str]:
    """Give the lines of the output, or of the errors for exit code 2, after checking the exit code."""
    assert done.returncode == code, done.stderr
    return (done.stderr if code == 2 else done.stdout).splitlines()


def test_show_prints_each_value_and_its_source_but_no_secret(folder: Path) -> None:
    flags = ("--config", "hero.toml", "--set", "actors.sal.count=4", "--port", "8080")
    done = run_program(folder, "config", "show", "--changed", *flags, HERO_JOBS__REPLY_TTL_S="9")
    assert [" ".join(line.split()) for line in lines(done, 0)] == [
        "# hero.toml, then conf.d/10-more.toml, then the environment and flags: the later wins.",
        "",
        "[store]",
        'redis_url = "redis://***@h/" # hero.toml:2',
        "",
        "[rpc]",
        'unix_socket = "" # HERO_RPC__UNIX_SOCKET',
        "port = 8080 # --port",
        "",
        "[jobs]",
        "reply_ttl_s = 9 # HERO_JOBS__REPLY_TTL_S",
        "",
        "[[actors]]",
        'type = "sal" # hero.toml:4',
        'name = "sal" # conf.d/10-more.toml:2',
        "count = 4 # --set actors.sal.count",
        "lanes = 3 # conf.d/10-more.toml:3",
    ]
    assert done.stderr == ""


def test_show_prints_json_for_programs_and_flags_may_stand_before_the_command(folder: Path) -> None:
    done = run_program(
        folder, "--config", "hero.toml", "--log-level", "debug", "config", "show", "--json", "--port", "1"
    )
    shown = json.loads("\n".join(lines(done, 0)))["settings"]
    assert shown["supervisor"]["log_level"] == {
        "value": "debug",
        "origin": {"kind": "flag", "source": "--log-level", "line": None},
    }
    assert shown["rpc"]["port"]["value"] == 1
    assert shown["actors"][0]["lanes"]["origin"] == {"kind": "file", "source": "conf.d/10-more.toml", "line": 3}


def test_check_of_a_valid_config_names_the_files_that_it_has_read(folder: Path) -> None:
    assert lines(run_program(folder, "config", "check", "hero.toml"), 0) == ["hero.toml, conf.d/10-more.toml: valid"]
    assert lines(run_program(folder, "config", "check"), 0) == ["hero.toml, conf.d/10-more.toml: valid"]
    (folder / "elsewhere").mkdir()
    assert lines(run_program(folder / "elsewhere", "config", "check"), 0) == ["defaults and environment: valid"]


def test_check_says_which_default_actors_the_main_file_has_replaced(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[[actors]]\ntype = "python"\n')
    replaced = run_program(tmp_path, "config", "check", "hero.toml")
    (tmp_path / "hero.toml").write_text("")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/10-more.toml").write_text('[[actors]]\ntype = "python"\n')
    added = run_program(tmp_path, "config", "check", "hero.toml")

    assert lines(replaced, 0) == ["hero.toml: valid"]
    assert "note: no OSIS and no SAL actors: [[actors]] of the main file replace the default" in replaced.stderr
    assert (lines(added, 0), added.stderr) == (["hero.toml, conf.d/10-more.toml: valid"], "")


def test_check_finds_every_mistake_of_all_layers_with_exit_code_2(folder: Path) -> None:
    (folder / "hero.toml").write_text(MAIN + "lane = 1\n[jobs]\nreply_ttl_s = '3'\n")
    (folder / "conf.d" / "10-more.toml").write_text("[rpc]\nbind = localhost\nhost = localhost\n")
    (folder / "conf.d" / "20.toml").write_text("[stor]\nredis_url = 'redis://:geheim@h/'\n")
    done = run_program(folder, "config", "check", "hero.toml", "--port", "x", HERO_RPC__BIND="localhost")
    assert lines(done, 2) == [
        "error: hero.toml:6: actors.0.lane = 1: unknown key (did you mean 'actors.0.lanes'?)",
        "error: hero.toml:8: jobs.reply_ttl_s = '3': should be a whole number of seconds, without quotes",
        "error: conf.d/10-more.toml:2: not TOML at column 8: Invalid value; text needs quotes, and a key may appear"
        " only once",
        "error: conf.d/20.toml:1: stor = { redis_url = 'redis://***@h/' }: unknown key (did you mean 'store'?)",
        "error: HERO_RPC__BIND: rpc.bind = 'localhost': should be an IP address, such as 127.0.0.1 or ::1;"
        " 0.0.0.0 for all",
        "error: --port: rpc.port = 'x': should be a whole number",
        "6 errors; the service does not start with this configuration",
    ]
    assert done.stdout == ""


def test_check_warns_about_suspicious_settings_and_strict_makes_warnings_fail(folder: Path) -> None:
    flags = ("config", "check", "hero.toml", "--set", "embedded.port=7000")
    warned = [
        "warning: HERO_STORE_NAMESPACE: has no effect: two underscores must follow the section"
        " (did you mean 'HERO_STORE__NAMESPACE'?)",
        "warning: --set embedded.port: embedded.port: has no effect: store.redis_url names a server, so no store is"
        " embedded",
        "hero.toml, conf.d/10-more.toml: valid, 2 warnings",
    ]
    assert lines(run_program(folder, *flags, HERO_STORE_NAMESPACE="x"), 0) == warned
    assert lines(run_program(folder, *flags, "--strict", HERO_STORE_NAMESPACE="x"), 1) == warned


def test_config_with_its_boundaries_open_cannot_be_had_without_warnings(
    tmp_path: Path, start_supervisor: StartSupervisor
) -> None:
    open_config = """[embedded]
port = 7001
[rpc]
unix_mode = "0666"
port = 7002
bind = "0.0.0.0"
insecure = true
[[actors]]
type = "python"
count = 0
env = { HERO_ALLOW_COMMANDS = "*", HERO_ALLOW_PYTHON = "true", HERO_WORK_DIR = "/", HERO_CHILD_MEMORY_MIB = "0" }
"""
    keys = ["embedded.port", "rpc.unix_mode", "rpc.port", "rpc.bind", "rpc.insecure"]
    variables = ("HERO_ALLOW_COMMANDS", "HERO_ALLOW_PYTHON", "HERO_WORK_DIR", "HERO_CHILD_MEMORY_MIB")
    keys += [f"actors.0.env.{name}" for name in variables]
    (tmp_path / "open.toml").write_text(open_config)

    done = run_program(tmp_path, "config", "check", "--strict", "open.toml", HERO_RPC__UNIX_SOCKET="hero.ipc")
    said = "\n".join(lines(done, 1))

    assert [key for key in keys if f": {key}: " not in said] == []
    assert f"valid, {len(keys)} warnings" in said
    supervisor = start_supervisor(OSIS.replace('unix_socket = ""', 'unix_mode = "0666"'))
    assert "rpc.unix_mode: every user" in supervisor.wait_event("config.weak_boundary")["problem"]


def test_schema_is_printed(tmp_path: Path) -> None:
    assert run_program(tmp_path, "config", "schema").stdout == schema_text()


@pytest.mark.parametrize(
    "flags", [("--set", "rpc.port"), ("--set", "=3"), ("--set", "rpc..port=3"), ("config",), ("config", "x")]
)
def test_malformed_flag_or_command_ends_with_exit_code_2(tmp_path: Path, flags: tuple[str, ...]) -> None:
    done = run_program(tmp_path, *flags)
    assert done.returncode == 2
    assert "SECTION.KEY=VALUE" in done.stderr or "show|check|schema" in done.stderr


def test_service_uses_all_layers_and_reloads_them(start_supervisor: StartSupervisor, tmp_path: Path) -> None:
    drop_in = tmp_path / "conf.d" / "10.toml"
    drop_in.parent.mkdir()
    drop_in.write_text('[[actors]]\nname = "osis"\nby_context = true\ncount = 2\n[supervisor]\nlog_level = "debug"\n')
    supervisor = start_supervisor(
        flags=("--set", "actors.osis.name=first", "--log-level", "info"), environ={"HERO_STORE_NAMESPACE": "x"}
    )
    supervisor.wait_ready()
    assert "HERO_STORE__NAMESPACE" in supervisor.wait_event("config.note")["problem"]
    assert supervisor.pid_of("first-2")
    drop_in.write_text(drop_in.read_text().replace("count = 2", "count = 3"))
    supervisor.signal(signal.SIGHUP)
    assert supervisor.wait_event("service.reloaded")["scaled"] == ["first"]
    assert supervisor.pid_of("first-3")
    (tmp_path / "hero.toml").write_text(OSIS + "[jobs]\nreply_ttl_s = 5\n")
    drop_in.write_text("[[actors]]\nname = 'osis'\ncount = 'x'\n")
    supervisor.signal(signal.SIGHUP)
    assert supervisor.wait_event("reload.refused")["problems"] == 1
    (problem,) = supervisor.events("reload.problem")
    assert problem["problem"] == "conf.d/10.toml:3: actors.0.count = 'x': should be a whole number"


def test_config_of_the_rust_supervisor_starts_the_program_that_it_names(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    program = tmp_path / "sal_runner"
    program.write_text('#!/bin/sh\necho "$@ $DB_PATH" > called.new && mv called.new called\nexec sleep 600\n')
    program.chmod(0o755)
    supervisor = start_supervisor(
        f'redis_url = "redis://nowhere/"\nport = 0\nregister_secrets = ["geheim"]\n[[actors]]\nid = "one"\n'
        f'binary_path = "{program}"\ndb_path = "./sal_db"\nprocess_manager = "simple"\n',
        environ={"HERO_RPC__UNIX_SOCKET": ""},
    )
    called = tmp_path / "called"
    eventually(called.exists)
    assert called.read_text() == f"one --redis-url {supervisor.url} ./sal_db\n"
    assert supervisor.wait_event("child.started")["child"] == "one-1"
    notes = [event["problem"] for event in supervisor.events("config.note")]
    assert [note.split(": ")[:2] for note in notes] == [
        ["hero.toml", "is read as a config of the Rust supervisor"],
        ["hero.toml:3", "register_secrets"],
        ["hero.toml:7", "actors.0.db_path"],
    ]
    assert "geheim" not in supervisor.log_text()
