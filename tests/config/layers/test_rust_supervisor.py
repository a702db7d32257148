"""The config of the Rust supervisor, read as it is."""

from __future__ import annotations

import hashlib

import pytest

from hero_config.layers.load import ConfigError, load, load_config
from tests.config.conftest import Lay

#: The example in the README of that supervisor.
SAMPLE = """redis_url = "redis://localhost:6379"
namespace = "hero"
bind_address = "127.0.0.1"
port = 3030
admin_secrets = ["admin-secret-123"]
user_secrets = ["user-secret-456"]
register_secrets = ["register-secret-789"]
[[actors]]
id = "sal_runner_1"
name = "sal_runner_1"
binary_path = "/path/to/sal_runner"
db_path = "./sal_db"
redis_url = "redis://localhost:6379"
process_manager = "simple"          # or "tmux:osis_session"
"""


def notes(text: str, lay: Lay) -> list[str]:
    path = lay(text)
    first, *rest = [str(note).replace(f"{path.parent}/", "") for note in load_config(path, environ={}).notes]
    assert first == "hero.toml: is read as a config of the Rust supervisor"
    return rest


def test_its_sample_is_translated(lay: Lay) -> None:
    settings = load(lay(SAMPLE), environ={})
    assert (settings.store.redis_url, settings.store.namespace) == ("redis://localhost:6379", "hero")
    assert (settings.rpc.bind, settings.rpc.port) == ("127.0.0.1", 3030)
    assert [(token.name, token.scope, token.sha256) for token in settings.rpc.tokens] == [
        ("admin-1", "admin", hashlib.sha256(b"admin-secret-123").hexdigest()),
        ("user-1", "user", hashlib.sha256(b"user-secret-456").hexdigest()),
    ]
    (actor,) = settings.actors
    assert (actor.base_name, actor.type) == ("sal_runner_1", "sal")
    assert actor.command == ("/path/to/sal_runner", "sal_runner_1", "--redis-url", "{redis_url}")
    assert actor.env == {"DB_PATH": "./sal_db"}


def test_each_key_without_counterpart_is_noted_with_its_line_and_without_secrets(lay: Lay) -> None:
    text = SAMPLE.replace('"simple"', '"tmux:osis_session"') + 'redis_urll2 = "x"\nlog_colour = "x"\n'
    assert notes(text.replace("redis_urll2", "zinit_socket"), lay) == [
        "hero.toml:7: register_secrets: has no effect: actors do not register over JSON-RPC here",
        "hero.toml:15: actors.0.zinit_socket: has no counterpart here, so it has no effect",
        "hero.toml:16: actors.0.log_colour: has no counterpart here, so it has no effect",
        "hero.toml:12: actors.0.db_path: passed to the program in the environment variable DB_PATH, since no flag for"
        " it is known",
        "hero.toml:14: actors.0.process_manager: the supervisor runs the program itself, as with 'simple'",
    ]
    assert "secret-789" not in "".join(notes(text.replace("redis_urll2", "zinit_socket"), lay))


def test_translated_values_keep_the_lines_of_their_keys(lay: Lay) -> None:
    config = load_config(lay(SAMPLE, a='[[actors]]\nname = "sal_runner_1"\ncount = 2\n'), environ={})
    paths = (("store", "redis_url"), ("rpc", "port"), ("rpc", "tokens"), ("actors", 0, "command"))
    assert [config.origin(path).line for path in paths] == [1, 4, 6, 11]
    assert config.settings.actors[0].count == 2


@pytest.mark.parametrize(
    ("entry", "script_type", "command"),
    [
        (
            'id = "osis_actor_0"\nbinary_path = "/usr/local/bin/osis_actor"',
            "osis",
            ("/usr/local/bin/osis_actor", "--redis-url", "{redis_url}", "--actor-id", "osis_actor_0"),
        ),
        (
            'id = "7"\nname = "x"\nbinary_path = "/b/runner_osiris"\nredis_url = "redis://other/"',
            "osis",
            ("/b/runner_osiris", "7", "--redis-url", "redis://other/"),
        ),
        (
            'id = "one"\ntype = "python"\nbinary_path = "/b/x"',
            "python",
            ("/b/x", "--redis-url", "{redis_url}", "--actor-id", "one"),
        ),
        ('name = "sal"', "sal", ()),
    ],
)
def test_program_is_called_as_its_family_is(lay: Lay, entry: str, script_type: str, command: tuple[str, ...]) -> None:
    (actor,) = load(lay(f'redis_url = "redis://h/"\n[[actors]]\n{entry}\n'), environ={}).actors
    assert (actor.type, actor.command) == (script_type, command)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("namespace", "namespce", "hero.toml:2: namespce = 'hero': unknown key (did you mean 'namespace'?)"),
        ("binary_path", "binarypath", "(did you mean 'binary_path'?)"),
        ("port = 3030", 'port = "3030"', "hero.toml:4: rpc.port = '3030': should be a whole number, without quotes"),
        ('["user-secret-456"]', '"user-secret-456"', "hero.toml:6: user_secrets: should be a list of strings"),
        ('"./sal_db"', "3", "hero.toml:12: actors.0.db_path = 3: should be text, in quotes"),
        ("sal_runner", "my_runner", "hero.toml:8: actors.0: no name in the entry tells its script type"),
        ('"127.0.0.1"', '"0.0.0.0"', "tokens would cross the network to 0.0.0.0 unencrypted"),
        (
            "user_secrets",
            "user_secret",
            "hero.toml:6: user_secret = ['***']: unknown key (did you mean 'user_secrets'?)",
        ),
    ],
)
def test_mistake_in_it_is_reported_like_one_in_our_own_file(lay: Lay, old: str, new: str, problem: str) -> None:
    path = lay(SAMPLE.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert problem in str(caught.value).replace(f"{path.parent}/", "")
    assert "secret-" not in str(caught.value)


def test_its_keys_among_our_sections_are_mistakes(lay: Lay) -> None:
    with pytest.raises(ConfigError, match=r"redis_url = 'redis://h/': unknown key \(did you mean 'store.redis_url'"):
        load(lay('redis_url = "redis://h/"\n[jobs]\n'), environ={})


def test_without_a_port_the_different_default_is_noted(lay: Lay) -> None:
    assert "names no port" in notes('redis_url = "redis://h/"\n', lay)[0]
