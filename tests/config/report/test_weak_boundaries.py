"""Each row of the table of settings that weaken a boundary: what it warns of, and what it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_config.layers.load import load_config
from hero_config.report.weak_boundaries import ACTOR_RULES, MOST, SETTING_RULES, find_weak_boundaries
from tests.config.conftest import Lay

HERO_TOML = Path(__file__).parents[3] / "config" / "hero.toml"
KEY = "02" + "ab" * 32
TOKEN = f"tokens = [{{ name = 'a', scope = 'SCOPE', sha256 = '{'0' * 64}' }}]\n"
RIGHT = "rights = [{ context_id = 'CONTEXT', callers = ['CALLER'] }]\n"
PORT = "[rpc]\nport = 1\nrequire_auth = true\n"
PEERS = "[rpc]\nunix_auth = 'peer'\nunix_peers = [{ user = 'USER', scope = 'SCOPE' }]\n"


def rpc(text: str, **words: str) -> str:
    for name, word in words.items():
        text = text.replace(name, word)
    return text


def actor(text: str, kind: str = "python") -> str:
    return f"[[actors]]\ntype = '{kind}'\n{text}\n"


def allow(text: str) -> str:
    return actor(f"[actors.allow]\n{text}", "sal")


def env(name: str, value: str) -> str:
    return actor(f"env = {{ {name} = '{value}' }}")


#: By key: examples that weaken the boundary, and examples that look like it and do not.
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "rpc.insecure": ([PORT + "insecure = true\n"], ["[rpc]\ninsecure = true\n"]),
    "rpc.bind": ([PORT + "bind = '0.0.0.0'\ninsecure = true\n"], [PORT + "bind = '::1'\n"]),
    "rpc.port": (["[rpc]\nport = 1\n"], [PORT]),
    "rpc.unix_mode": (["[rpc]\nunix_mode = '0666'\n"], ["[rpc]\nunix_mode = '0666'\nunix_auth = 'peer'\n"]),
    "rpc.unix_auth": (["[rpc]\nunix_mode = '0660'\n"], ["[rpc]\nunix_mode = '0660'\nunix_auth = 'token'\n"]),
    "rpc.tokens": ([rpc(PORT + TOKEN, SCOPE="admin")], [rpc(PORT + TOKEN, SCOPE="user")]),
    "rpc.signature_keys": ([PORT + "signature_keys = ['*']\n"], [PORT + f"signature_keys = ['{KEY}']\n"]),
    "rpc.signature_scope": ([PORT + f"signature_keys = ['{KEY}']\nsignature_scope = 'admin'\n"], [PORT]),
    "rpc.unix_peers": (
        [rpc(PEERS, USER="alice", SCOPE="admin"), rpc(PEERS, USER="nobody", SCOPE="user")],
        [rpc(PEERS, USER="alice", SCOPE="user"), rpc(PEERS, USER="root", SCOPE="admin")],
    ),
    "rpc.rights": (
        [rpc("[rpc]\n" + RIGHT, CONTEXT="*", CALLER="*")],
        [rpc("[rpc]\n" + RIGHT, CONTEXT="*", CALLER="a")],
    ),
    "rpc.require_signatures": (
        [rpc("[rpc]\n" + RIGHT, CONTEXT="a", CALLER=KEY)],
        [rpc("[rpc]\nrequire_signatures = ['*']\n" + RIGHT, CONTEXT="a", CALLER=KEY)],
    ),
    "embedded.port": (["[embedded]\nport = 1\n"], ["[store]\nredis_url = 'redis://h/'\n[embedded]\nport = 1\n"]),
    "store.redis_url": (
        ["[store]\nredis_url = 'redis://:p@9.9.9.9/'\n", "[store]\nredis_url = 'redis+cluster://10.0.0.1,9.9.9.9'\n"],
        ["[store]\nredis_url = 'rediss://9.9.9.9/'\n", "[store]\nredis_url = 'redis://127.0.0.1/'\n"],
    ),
    "jobs.log_dir": (
        ["[jobs]\nlog_dir = '/'\n", "[jobs]\nlog_dir = '/var/../'\n"],
        ["[jobs]\nlog_dir = '/var/log/x'\n"],
    ),
    "memory_max": (
        [actor("", "v"), actor("command = ['/bin/true']", "sal")],
        [actor("", "sal"), actor("memory_max = '1gb'", "v")],
    ),
    "memory_bytes": (
        [actor("memory_bytes = 0", "sal"), actor("memory_bytes = 0\nengine = 'rhai'", "python")],
        [actor("memory_bytes = 1", "osis"), actor("memory_bytes = 0")],
    ),
    "max_result_bytes": ([actor("max_result_bytes = 100000000")], [actor("max_result_bytes = 67108864")]),
    "user": ([actor("user = 'root'"), actor("user = '0'")], [actor("user = 'alice'")]),
    "command": (
        [actor("command = ['/bin/true', '--token', 'x']"), actor("command = ['/bin/true', 'http://a:b@c/']")],
        [actor("command = ['/bin/true', '{redis_url}']")],
    ),
    "allow.run": ([allow(f"run = ['{c}']") for c in ("bash", "/usr/bin/python3")], [allow("run = ['/opt/x/report']")]),
    "allow.read": ([allow("read = ['/']")], [allow("read = ['/srv/data']")]),
    "allow.write": ([allow("write = ['/etc']")], [allow("write = ['/srv/data']")]),
    "allow.net": ([allow("net = ['*:443']"), allow("net = ['0.0.0.0/0:1']")], [allow("net = ['*.example.org:443']")]),
    "allow.git": ([allow("git = ['*']")], [allow("git = ['github.com']")]),
    "allow.jobs": ([allow("jobs = true")], [allow("jobs = false")]),
    "HERO_ALLOW_COMMANDS": (
        [env("HERO_ALLOW_COMMANDS", c) for c in ("sh", "date,/usr/bin/python3.12", "*", "/usr/bin/*", "ba?h", "node")],
        [env("HERO_ALLOW_COMMANDS", "date,/opt/site/report,uptime")],
    ),
    "HERO_ALLOW_PYTHON": ([env("HERO_ALLOW_PYTHON", "true")], [env("HERO_ALLOW_PYTHON", "false")]),
    "HERO_ALLOW_JOBS": ([env("HERO_ALLOW_JOBS", "true")], [env("HERO_ALLOW_JOBS", "")]),
    "HERO_ALLOW_HTTP": (
        [env("HERO_ALLOW_HTTP", v) for v in ("*", "a.org,*:*", "*.*")],
        [env("HERO_ALLOW_HTTP", "*.example.org")],
    ),
    "HERO_ALLOW_GIT": ([env("HERO_ALLOW_GIT", v) for v in ("*", "file:///*")], [env("HERO_ALLOW_GIT", "git.a.org/*")]),
    "HERO_ALLOW_NODES": ([env("HERO_ALLOW_NODES", v) for v in ("*", "*@*")], [env("HERO_ALLOW_NODES", "x@h:22")]),
    "HERO_ALLOW_PACKAGES": ([env("HERO_ALLOW_PACKAGES", "*")], [env("HERO_ALLOW_PACKAGES", "jq,lib*")]),
    "HERO_WORK_DIR": ([env("HERO_WORK_DIR", "/")], [env("HERO_WORK_DIR", "/srv/work")]),
    "HERO_SCRIPTS_DIR": ([env("HERO_SCRIPTS_DIR", "/etc/")], [env("HERO_SCRIPTS_DIR", "/srv/scripts")]),
    "HERO_CODEROOT_DIR": ([env("HERO_CODEROOT_DIR", "//")], [env("HERO_CODEROOT_DIR", "/srv/code")]),
    "HERO_CHILD_MEMORY_MIB": (
        [env("HERO_CHILD_MEMORY_MIB", "0")],
        [env("HERO_CHILD_MEMORY_MIB", "512"), actor("memory_max = '1gb'\nenv = { HERO_CHILD_MEMORY_MIB = '0' }")],
    ),
    "HERO_CHILD_JOBS": (
        [env("HERO_CHILD_JOBS", "2")],
        [env("HERO_CHILD_JOBS", "1"), actor("isolation = 'process'\nenv = { HERO_CHILD_JOBS = '2' }")],
    ),
    "HERO_CHILD_FILES": ([env("HERO_CHILD_FILES", "0")], [env("HERO_CHILD_FILES", "64")]),
    "HERO_ACTIONS_ENV": ([env("HERO_ACTIONS_ENV", "A,HERO_REDIS_URL")], [env("HERO_ACTIONS_ENV", "A")]),
}


def found(lay: Lay, text: str, **environ: str) -> set[str]:
    """Give the keys that are warned of, without the place of their entry."""
    problems = find_weak_boundaries(load_config(lay(text), environ={}), environ)
    return {problem.key.removeprefix("actors.0.").removeprefix("env.") for problem in problems}


def test_limits_of_children_are_checked_for_any_engine_in_processes(lay: Lay) -> None:
    entry = "[[actors]]\ntype = 'sal'\nisolation = '{}'\nenv = {{ HERO_CHILD_MEMORY_MIB = '0' }}\n"

    assert found(lay, entry.format("process")) == {"HERO_CHILD_MEMORY_MIB"}
    assert found(lay, entry.format("thread")) == set(), "nothing reads it"


def test_defaults_weaken_nothing() -> None:
    assert find_weak_boundaries(load_config(environ={}), {}) == []
    assert find_weak_boundaries(load_config(HERO_TOML, environ={}), {}) == []


def test_every_row_has_examples() -> None:
    rows = [".".join(map(str, rule.key)) for rule in SETTING_RULES] + [rule.key for rule in ACTOR_RULES]

    assert sorted(rows) == sorted(EXAMPLES)


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, (weak, _) in EXAMPLES.items() for text in weak])
def test_setting_that_weakens_a_boundary_is_warned_of(lay: Lay, key: str, text: str) -> None:
    assert key in found(lay, text)


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, (_, good) in EXAMPLES.items() for text in good])
def test_setting_that_only_looks_like_it_is_not(lay: Lay, key: str, text: str) -> None:
    assert key not in found(lay, text)


@pytest.mark.parametrize(("section", "key"), MOST)
def test_limit_that_is_too_high_to_limit_anything_is_warned_of(lay: Lay, section: str, key: str) -> None:
    most = MOST[section, key]

    assert found(lay, f"[{section}]\n{key} = {most + 1}\n") == {f"{section}.{key}"}
    assert found(lay, f"[{section}]\n{key} = {most}\n") == set()


def test_variables_of_the_service_count_too_because_its_actors_inherit_them(lay: Lay) -> None:
    assert found(lay, actor(""), HERO_ALLOW_COMMANDS="sh") == {"HERO_ALLOW_COMMANDS"}
    assert found(lay, env("HERO_ALLOW_COMMANDS", "date"), HERO_ALLOW_COMMANDS="sh") == set()
    assert found(lay, actor("", "sal"), HERO_ALLOW_COMMANDS="sh") == set()


def test_warning_has_its_place_and_its_reason(lay: Lay) -> None:
    path = lay(env("HERO_ALLOW_COMMANDS", "bash"))

    (problem,) = find_weak_boundaries(load_config(path, environ={}), {})

    assert str(problem).startswith(f"{path}:3: actors.0.env.HERO_ALLOW_COMMANDS: ")
    assert "shell" in str(problem)
