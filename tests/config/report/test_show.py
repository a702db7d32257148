"""The output of `config show`."""

from __future__ import annotations

import json
import tomllib

from hero_config.layers.load import Flag, load, load_config
from hero_config.report.show import as_json, as_toml
from tests.config.conftest import Lay

#: Every kind of value, but no secret.
RICH = r"""
[supervisor]
lease_s = 4
[rpc]
hosts = ["a.example", "b\"\\\u007f\u00e9"]
unix_peers = [{ user = "alice", scope = "user" }]
rights = [{ callers = ["*"], script_types = ["sal", "v"] }]
require_auth = true
[[actors]]
type = "sal"
cpu_affinity = [0, 1]
env = { TZ = "UTC", "odd name" = "x y" }
[[actors]]
type = "python"
memory_max = "64mb"
"""


def test_output_loads_as_the_same_settings(lay: Lay) -> None:
    config = load_config(lay(RICH), environ={})
    for changed in (False, True):
        assert load(lay(as_toml(config, changed=changed)), environ={}) == config.settings
    assert load(lay(as_toml(load_config(lay("actors = []\n"), environ={}))), environ={}).actors == ()


def test_every_value_says_where_it_came_from(lay: Lay) -> None:
    path = lay("[jobs]\nreply_ttl_s = 1\n", a="[[actors]]\nname = 'sal'\ncount = 2\n")
    config = load_config(
        path,
        environ={"HERO_RPC__PORT": "3"},
        flags=[Flag(option="--log-level", key="supervisor.log_level", text="debug")],
    )
    shown = [line.split() for line in as_toml(config).replace(f"{path.parent}/", "").splitlines()]
    for line in (
        "reply_ttl_s = 1 # hero.toml:2",
        "result_ttl_s = 86400 # default",
        "port = 3 # HERO_RPC__PORT",
        'log_level = "debug" # --log-level',
        "count = 2 # conf.d/a.toml:3",
        "count = 1 # default",
    ):
        assert line.split() in shown
    assert len(tomllib.loads(as_toml(config))["rpc"]) == len(type(config.settings.rpc).model_fields)
    assert as_toml(config, changed=True).count(" = ") == 7


def test_json_has_values_and_origins(lay: Lay) -> None:
    path = lay("[jobs]\n\nreply_ttl_s = 1\n")
    shown = json.loads(as_json(load_config(path, environ={})))
    assert shown["files"] == [str(path)]
    assert shown["settings"]["jobs"]["reply_ttl_s"] == {
        "value": 1,
        "origin": {"kind": "file", "source": str(path), "line": 3},
    }
    assert shown["settings"]["actors"][1]["type"] == {
        "value": "sal",
        "origin": {"kind": "default", "source": "", "line": None},
    }


def test_no_secret_is_shown(lay: Lay) -> None:
    sha256 = "ab" * 32
    path = lay(
        '[store]\nredis_url = "rediss://u:geheim@h/"\n'
        f'[[rpc.tokens]]\nname = "ops"\nscope = "admin"\nsha256 = "{sha256}"\n'
        '[[actors]]\ntype = "sal"\ncommand = ["a", "--token", "geheim"]\nenv = { MY_SECRET = "geheim", TZ = "UTC" }\n'
    )
    config = load_config(path, environ={})
    for text in (as_toml(config), as_json(config)):
        assert "geheim" not in text
        assert sha256 not in text
        assert "ops" in text
        assert "UTC" in text
